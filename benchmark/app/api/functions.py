"""The commands as Python functions: `import benchmark as wb` offers them. `bench` calls the same ones, or what is below
them.

Names and defaults are those of the options (`--run` is `run_name`, `--plugin` is `plugins`). A mistake that the caller
can mend is a BenchError, in the words of the command: where it says `--out`, give `out`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmark.app.planned_run import PlannedRun, RunOptions, plan_run, use_data_root
from benchmark.errors import BenchError
from benchmark.execution.placement.devices import device_name
from benchmark.execution.placement.host import workers as carried
from benchmark.execution.progress import note
from benchmark.execution.run import Cluster, Machine, refusals
from benchmark.planning.own_host import OwnHost, profile_for
from benchmark.planning.profile import Counts
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import one_scheme, select_attacks
from leaderboard.judge.board import Board, judge
from leaderboard.pages.export import write_pages

if TYPE_CHECKING:
    from benchmark.app.api.single_attack import Stolen
    from benchmark.app.card import Card
    from benchmark.app.verify.examination import Examination
    from benchmark.app.verify.questions import Questions

AnyPath = str | Path


def run(
    schemes: str | Sequence[str] = "all",
    attacks: str | Sequence[str] = "all",
    *,
    profile: str | None = None,
    host: str | None = None,
    weights: AnyPath | None = None,
    data: str | None = None,
    task: str | None = None,
    data_root: AnyPath | None = None,
    offline: bool = False,
    thief_labelled: Counts | None = None,
    thief_unlabelled: Counts | None = None,
    thief_pool: tuple[str, ...] | None = None,
    seeds: int | None = None,
    alpha: float | None = None,
    budget: float | None = None,
    strict: bool | None = None,
    timeout: float | None = None,
    results: AnyPath = "results",
    run_name: str | None = None,
    secret: str | None = None,
    plugins: Sequence[AnyPath] = (),
    workers: int | None = None,
    device: str = "auto",
    memory: int | None = None,
    fresh: bool = False,
    retry: Sequence[str] = (),
    executor: str = "local",
    address: str | None = None,
) -> Board:
    """Cross schemes with attacks, judge every cell, write the pages and return the board: `bench run`.

    schemes, attacks: what the options take, as one text or several: "adi", "prune(amount=0.1..0.9:0.1)",
    ["rose(s=64)", "passport"]. host, weights, data: a net, its weights and images of your own, with the profile "own"
    for "quick" (docs/own-model.md). seeds, alpha (a probability), budget (points of accuracy), strict, timeout (seconds
    of one job) and the thief's images: None for the profile's. results: the folder of all runs. workers: jobs at a
    time, None for as many as the machine carries. memory: MB that each may take. retry: "crashed", "not-applicable" or
    "damaged". executor, address: "ray", and HOST:PORT of its head.

    What is finished stays finished, also after Ctrl-C or the kernel's interrupt. Raises BenchError, for a parameter
    that a scheme can't be given after the pages were written.
    """
    given = dict(locals())
    texts = {name: ",".join(_several(given[name])) for name in ("schemes", "attacks")}
    places = {"results": Path(results), "plugins": _files(plugins), "data_root": _place(data_root)}
    places["weights"] = _place(weights)
    named = {name: given[name] for name in RunOptions.__dataclass_fields__} | texts | places
    device_name(device)
    if workers and executor != "ray":
        carried(workers)  # says how many this machine carries, before anything is made
    where = cluster(executor, address, workers)
    planned = plan_run(RunOptions(**named), typed({**given, **texts}))
    planned = replace(planned, machine=replace(planned.machine, cluster=where))
    console = Console()
    for broken in planned.registry.broken:
        note(console, f"left out: {broken.reason}")
    board = finished(planned, console, fresh=fresh, retry=_several(retry))
    if refused := refusals(planned.plan.jobs, planned.machine.store):
        raise BenchError("\n".join(refused))
    return board


def finished(planned: PlannedRun, console: Console, *, fresh: bool = False, retry: Sequence[str] = ()) -> Board:
    """Run what has no final record, judge the whole, and write its pages. fresh, retry: see `carry_out`."""
    with planned.carried_out(console, fresh=fresh, retry=retry) as done:
        board = judge(done)
        write_pages(board, planned.machine.folder)
    return board


def cluster(executor: str, address: str | None, workers: int | None) -> Cluster | None:
    """Where jobs run, if not on this machine. Raises BenchError for an address without a cluster."""
    if executor not in ("local", "ray"):
        raise BenchError(f"--executor is local or ray, not {executor!r}")
    if executor == "ray":
        return Cluster(address, workers)
    if address is not None:
        raise BenchError("--address names the head of a Ray cluster: give --executor ray with it")
    return None


def typed(given: Mapping[str, Any]) -> str:
    """The `bench run` that does what `run` was given, for run.json: whoever reads the pages may repeat it.

    It names schemes and attacks in any case: `bench audit`, as which a page may show it, has others by default.
    """
    usual = {name: one.default for name, one in signature(run).parameters.items()} | {"schemes": None, "attacks": None}
    words = ["bench", "run"]
    for name, value in given.items():
        if value == usual[name] or value is False:
            continue
        option = "--" + {"run_name": "run", "plugins": "plugin"}.get(name, name.replace("_", "-"))
        if value is True:
            words.append(option)
        elif name in ("plugins", "retry"):
            words += [word for one in _several(value) for word in (option, one)]
        else:
            words += [option, ",".join(_several(value))]
    return shlex.join(words)


def embed(
    scheme: str,
    out: AnyPath,
    *,
    profile: str | None = None,
    host: str | None = None,
    weights: AnyPath | None = None,
    data: str | None = None,
    seed: int | None = None,
    data_root: AnyPath | None = None,
    plugins: Sequence[AnyPath] = (),
    device: str = "auto",
) -> Card:
    """Mark one new model: model.safetensors, key.safetensors (secret) and card.json in the folder `out`: `bench embed`.

    Beside them lies the model in plain forms, as far as it has them: state_dict.safetensors and model.pt2; of a host of
    your own (host, weights, data: see `run`) also model.onnx.

    scheme: one setting, "adi" or "rose(s=64)". seed: for experiments, since whoever knows it has the key. Returns the
    card, which is to be published before the model. Raises BenchError, where `out` holds such files already as well.
    """
    from benchmark.app.api.training_shown import TrainingShown
    from benchmark.app.single_model import embed_model  # loads torch, which a finished run needs none of

    use_data_root(_place(data_root))
    setting = one_scheme(scheme, Registry.discover(_files(plugins)))
    own = profile_for(profile, "quick", OwnHost(host, _place(weights), data))
    shown = TrainingShown(Console(stderr=True))
    return embed_model(setting, own, Path(out), seed, device_name(device), shown).card


def attack(
    model: AnyPath,
    attack: str,
    out: AnyPath,
    *,
    scheme: str | None = None,
    profile: str | None = None,
    seed: int = 0,
    data_root: AnyPath | None = None,
    plugins: Sequence[AnyPath] = (),
    device: str = "auto",
) -> Stolen:
    """Attack one marked model, by the steps of a cell: the thief's model.safetensors in the folder `out`.

    model: the file, or the folder that `embed` made, whose key the thief never sees. attack: one setting or chain,
    "prune(amount=0.5)+jpeg". scheme, profile: of the model, None for those of the card beside it. seed: of the thief's
    images and random numbers. An attack that claims the model leaves its own key.safetensors, too.

    The attack's code runs in this process, without the walls that `run` puts around it. Raises BenchError where the
    attack can't be run on this model, or a training of its diverges; what else an attack raises is its own.
    """
    from benchmark.app.api.single_attack import attack_model

    use_data_root(_place(data_root))
    registry = Registry.discover(_files(plugins))
    chosen = select_attacks(attack, registry)
    if len(chosen) != 1:
        raise BenchError(f"{attack!r} names {len(chosen)} attacks: name one")
    return attack_model(Path(model), chosen[0], Path(out), scheme, profile, registry, seed, device_name(device))


def ask(
    key: AnyPath,
    out: AnyPath,
    *,
    answers: Sequence[AnyPath] = (),
    scheme: str | None = None,
    profile: str | None = None,
    data_root: AnyPath | None = None,
    plugins: Sequence[AnyPath] = (),
    device: str = "auto",
) -> Questions:
    """Write a court's questions as images into the folder `out`, and a table to fill, or a folder: `bench ask`.

    key: the owner's folder, or the key's file. answers: to the questions that were asked before, of a court that goes
    on by what was answered. scheme, profile: None for the card's. Returns where the answers belong; `verify` takes
    them. Raises BenchError.
    """
    from benchmark.app.verify.claims import read_claim
    from benchmark.app.verify.questions import write_questions

    use_data_root(_place(data_root))
    claim = read_claim(Path(key), scheme, profile, Registry.discover(_files(plugins)), {})
    return write_questions(claim, Path(out), _files(answers), device_name(device))


def verify(
    key: AnyPath,
    suspect: AnyPath | None = None,
    *,
    answers: Sequence[AnyPath] = (),
    weights: AnyPath | None = None,
    host_weights: AnyPath | None = None,
    scheme: str | None = None,
    profile: str | None = None,
    alpha: float | None = None,
    budget: float | None = None,
    strict: bool | None = None,
    nulls: AnyPath | None = None,
    rate: float = 5.0,
    data_root: AnyPath | None = None,
    plugins: Sequence[AnyPath] = (),
    workers: int | None = None,
    device: str = "auto",
) -> Examination:
    """Examine one suspect under one key: `bench verify`. The verdict is `.opinion.verdict`, the p-values beside it.

    key: the owner's folder, or the key's file. suspect: a model's file, "module:function", an address, or
    "torchvision:NAME" or "timm:NAME" with a file of weights; or answers: tables that `bench ask` wrote, filled in.
    scheme, profile, alpha, budget, strict: None for the card's and the profile's. nulls: a results folder whose
    unmarked models are compared with. host_weights: the file that these begin with, of a host that was marked with
    weights; None for the one in the key's folder. rate: requests a second that an address gets at most. Raises
    BenchError.
    """
    from benchmark.app.verify.claims import read_claim
    from benchmark.app.verify.hearings import hear_answers, hear_suspect
    from benchmark.app.verify.library_suspect import names_library_net

    tables = _files(answers)
    if (suspect is None) == (not tables):
        raise BenchError("verify needs one of --suspect, which can be asked, and --answers, which were written")
    if nulls is not None and names_library_net(str(nulls)):
        raise BenchError(
            f"--nulls {nulls} names a net, not a folder: give the results folder that keeps unmarked models; "
            "those that are missing are trained"
        )
    use_data_root(_place(data_root))
    thresholds = {"alpha": alpha, "budget": budget, "strict": strict}
    registry = Registry.discover(_files(plugins))
    claim = read_claim(Path(key), scheme, profile, registry, thresholds, _place(host_weights))
    own, console = claim.profile.name, Console(stderr=True)
    kept = None if nulls is None else Machine(Path(nulls), own, workers, device_name(device))
    spare = Machine(Path("results"), own, workers, device_name(device))
    if suspect is None:
        return hear_answers(claim, tables, kept, spare, console)
    say = partial(note, console)
    return hear_suspect(claim, str(suspect), _place(weights), kept, spare, rate, console, say)


def _place(given: AnyPath | None) -> Path | None:
    return None if given is None else Path(given)


def _files(given: AnyPath | Sequence[AnyPath]) -> list[Path]:
    return [Path(given)] if isinstance(given, str | Path) else [Path(one) for one in given]


def _several(given: Any) -> list[str]:
    """A value, or each of several, as the command line has it."""
    return [str(given)] if isinstance(given, str | Path | int | float) else [str(one) for one in given]
