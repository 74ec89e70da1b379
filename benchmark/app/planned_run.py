"""What `bench run`, `plan`, `calibrate` and `reproduce` share: a plan, where it runs, and how it is carried out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from benchmark.app.run_secret import run_secret, secret_files
from benchmark.data.download import provide
from benchmark.data.own_images import CLASSES, PAIRS
from benchmark.data.prepared import say
from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.errors import BenchError
from benchmark.execution.processes.host_check import show_host
from benchmark.execution.progress import duration, note
from benchmark.execution.run import Machine, carry_out
from benchmark.execution.run_file import describe
from benchmark.planning.calibration import calibration_plan
from benchmark.planning.clocks.estimates import TYPICAL_MEGABYTES, Estimates
from benchmark.planning.clocks.rates import gpus
from benchmark.planning.job import ways
from benchmark.planning.null_pools import null_attacks
from benchmark.planning.own_host import OwnHost, profile_for
from benchmark.planning.plan import Plan, make_plan
from benchmark.planning.profile import Counts, Profile, load_profile
from benchmark.planning.reproduction import Reproduction
from benchmark.plugins.attack_sets import AUTO_VERSION
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import Setting, select_attacks, select_schemes
from benchmark.store.ensemble import DescribedAuto
from benchmark.store.run_description import DescribedCalibration, DescribedReproduction
from benchmark.store.secret import digest_of
from benchmark.vocabulary import JobKind
from leaderboard.judge.run import Run, read_run

LONG = 3600.0  # seconds: what takes longer is said before it starts
NEIGHBOURS = {"classification": "finetune(mode=ftal)", "image-to-image": "surrogate"}  # of a calibration, by kind


@dataclass(frozen=True)
class RunOptions:
    """What `bench run` and `bench plan` are asked for; where None, the profile says it. timeout: seconds per job.

    workers: jobs at a time; None: as many as the machine carries. memory: MB that each worker may take; None: as much
    as there is.
    """

    schemes: str
    attacks: str
    profile: str | None
    host: str | None
    weights: Path | None
    data: str | None
    task: str | None
    data_root: Path | None
    offline: bool
    thief_labelled: Counts | None
    thief_unlabelled: Counts | None
    thief_pool: tuple[str, ...] | None
    seeds: int | None
    alpha: float | None
    budget: float | None
    strict: bool | None
    timeout: float | None
    results: Path
    run_name: str | None
    secret: str | None
    plugins: Sequence[Path]
    workers: int | None
    device: str
    memory: int | None


@dataclass(frozen=True)
class ToDo:
    """What of a plan has no final record yet: seconds on the workers, on what these rest, and megabytes of disk."""

    planned: Counter[JobKind]  # jobs by kind
    finished: Counter[JobKind]
    jobs: int
    seconds: float
    basis: str
    megabytes: float


@dataclass(frozen=True)
class PlannedRun:
    """A plan, how long its jobs take, the machine it runs on, and what `run.json` says beside it. command: as typed."""

    plan: Plan
    estimates: Estimates
    machine: Machine
    registry: Registry
    command: str
    calibration: tuple[DescribedCalibration, ...] | None = None
    reproduction: DescribedReproduction | None = None

    @contextmanager
    def carried_out(self, console: Console, *, fresh: bool = False, retry: Sequence[str] = ()) -> Iterator[Run]:
        """Run what has no final record, and read the whole; the store is held until the caller has written its pages.

        fresh, retry: see `execution.run.carry_out`.
        """
        described = describe(self.plan, self.machine.run, self.command, self.registry.broken)
        described = replace(
            described, calibration=self.calibration, reproduction=self.reproduction,
            auto=_auto(self.plan.attacks, self.registry),
        )  # fmt: skip
        with self.machine.lock(console):
            self._say_if_long(console, fresh)
            carry_out(self.plan.jobs, self.machine, console, described, fresh=fresh, retry=retry)
            yield read_run(self.machine.folder, self.machine.store)

    def to_do(self, *, fresh: bool = False) -> ToDo:
        """fresh: as if nothing were finished."""
        left = [job for job in self.plan.jobs if fresh or not self.machine.store.finished(job.id)]
        planned = Counter(job.kind for job in self.plan.jobs)
        return ToDo(
            planned,
            planned - Counter(job.kind for job in left),
            len(left),
            max(sum(job.seconds for job in left) / self.trainings_at_a_time, max(ways(left).values(), default=0.0)),
            self.estimates.basis([self.estimates.of(job.payload) for job in left]),
            sum(TYPICAL_MEGABYTES[job.kind] for job in left),
        )

    @property
    def trainings_at_a_time(self) -> int:
        """By how much a device's whole rate of training is multiplied: one training may fill a GPU, but only one core.

        1 on a cluster, of whose nodes nothing is known here.
        """
        at_a_time = self.machine.jobs_at_a_time
        return 1 if at_a_time is None else gpus(self.machine.device) or at_a_time

    def _say_if_long(self, console: Console, fresh: bool) -> None:
        """Tell the person before the first job where all of them together take more than an hour."""
        if sum(job.seconds for job in self.plan.jobs) < LONG:  # whatever of it is finished
            return
        to_do = self.to_do(fresh=fresh)
        if to_do.seconds > LONG:
            at_a_time = self.machine.jobs_at_a_time
            note(
                console,
                f"This run takes about {duration(to_do.seconds)} "
                f"{'of one worker' if at_a_time is None else f'on {at_a_time} workers'}, {to_do.basis}. "
                "It can be stopped at any time: the same command goes on where it stopped.",
            )


def plan_run(options: RunOptions, command: str, *, keep: bool = True) -> PlannedRun:
    """Cross the schemes with the attacks. Raises BenchError in one sentence.

    keep: whether it is to be run: then missing data sets are fetched, and a store without a secret gets one; see
    `run_secret`.
    """
    use_data_root(options.data_root)
    thief = ("thief_labelled", "thief_unlabelled", "thief_pool")
    names = ("task", *thief, "seeds", "alpha", "budget", "strict", "timeout")
    own = OwnHost(options.host, options.weights, options.data)
    profile = profile_for(options.profile, "quick", own, options.task)
    profile = profile.with_options(**{name: getattr(options, name) for name in names})
    run = profile.name if options.run_name is None else options.run_name
    machine = Machine(options.results, run, options.workers, options.device, options.memory)
    registry = Registry.discover(options.plugins)
    schemes, attacks = select_schemes(options.schemes, registry), select_attacks(options.attacks, registry)
    note = _check_task(options.task, profile, schemes) if options.task is not None else ""
    hidden = secret_files(options.secret)
    machine = replace(machine, hidden=(*hidden, *show_host(profile, machine.store.root, hidden, machine.device)))
    for track in profile.tracks:
        provide(find_task(track.task), offline=options.offline, look_only=not keep)
    if note:
        say(note)
    secret = run_secret(machine.store.root, options.secret, keep=keep)
    return PlannedRun(*_crossed(profile, schemes, attacks, registry, machine, secret), machine, registry, command)


def _check_task(name: str, profile: Profile, schemes: Sequence[Setting]) -> str:
    """Which schemes run on another task than the one asked for, in words. Raises BenchError where all of them do."""
    task = find_task(name)
    others = [one for one in schemes if task.kind not in one.tasks]
    if not others:
        return ""
    kinds = " or ".join(others[0].tasks)
    mend = {
        "image-to-image": f"give pairs of images with --task {PAIRS}NAME",
        "classification": f"give --task {CLASSES}NAME",
    }
    if len(others) == len(schemes):
        raise BenchError(
            f"--task {name} is {task.kind}, and {others[0].label} marks {kinds} nets: "
            f"{mend.get(others[0].tasks[0], 'choose another task')}, or leave --task out"
        )
    track = profile.track(others[0].tasks)
    where = f"the profile's {track.task} serves" if track else "the profile has no task for"
    names = ", ".join(dict.fromkeys(one.stages[0].declaration.name for one in others))
    return f"--task {name} is {task.kind}: {where} {names}, which marks {kinds} nets"


def plan_calibration(
    profile: Profile, schemes: str, attacks: str, draws: int, registry: Registry, machine: Machine, command: str
) -> tuple[PlannedRun, list[Setting]]:
    """Every scheme on the profile's track for it, and the schemes that have none. Raises BenchError."""
    met = select_attacks(attacks, registry)
    if unfit := [one.label for one in met if one.aware]:
        raise BenchError(f"{unfit[0]} needs a marked model, and nulls have no mark: choose other --attacks")
    (scratch,) = select_attacks("scratch(recipe=house)", registry)  # nets of the owner's architecture
    neighbours = {kind: select_attacks(one, registry)[0] for kind, one in NEIGHBOURS.items()}
    selected = select_schemes(schemes, registry)
    fit = [one for one in selected if profile.track(one.tasks) is not None]
    if not fit:
        raise BenchError(f"profile {profile.name} has no track for any of the --schemes: choose others, or a profile")
    for task in {track.task for one in fit if (track := profile.track(one.tasks))}:
        provide(find_task(task))
    others = scratch, neighbours, null_attacks(profile, fit, registry)
    secret = run_secret(machine.store.root)
    estimates = Estimates(profile, machine.store, machine.device)
    plan, entries = calibration_plan(profile, fit, met, *others, draws, estimates, digest_of(secret))
    described = tuple(DescribedCalibration(**entry) for entry in entries)
    return PlannedRun(plan, estimates, machine, registry, command, described), [
        one for one in selected if one not in fit
    ]


def plan_reproduction(
    work: Reproduction, scale: str, registry: Registry, machine: Machine, command: str, *, offline: bool,
    wanted_secret: str | None = None,
) -> PlannedRun:  # fmt: skip
    """The work's own schemes and attacks at one scale; fetches missing data sets. Raises BenchError."""
    _check_size(scale, machine.device)
    wanted = work.scales[scale]
    schemes = _each(wanted.schemes, lambda text: select_schemes(text, registry))
    attacks = _each(wanted.attacks, lambda text: select_attacks(text, registry))
    profile = load_profile(wanted.profile).with_options(seeds=wanted.seeds)
    for task in {track.task for one in schemes.values() if (track := profile.track(one.tasks))}:
        provide(find_task(task), offline=offline)
    secret = run_secret(machine.store.root, wanted_secret)
    machine = replace(machine, hidden=secret_files(wanted_secret))
    planned = _crossed(profile, schemes.values(), attacks.values(), registry, machine, secret)
    labels = [{name: setting.label for name, setting in chosen.items()} for chosen in (schemes, attacks)]
    return PlannedRun(*planned, machine, registry, command, reproduction=work.described(scale, *labels))


def _crossed(
    profile: Profile, schemes: Iterable[Setting], attacks: Iterable[Setting], registry: Registry, machine: Machine,
    secret: bytes,
) -> tuple[Plan, Estimates]:  # fmt: skip
    """Each setting once, in their order."""
    rows, columns = (list({one.label: one for one in some}.values()) for some in (schemes, attacks))
    estimates = Estimates(profile, machine.store, machine.device)
    others = null_attacks(profile, rows, registry)
    return make_plan(profile, rows, columns, others, estimates, digest_of(secret)), estimates


def _check_size(scale: str, device: str) -> None:
    """Raise BenchError where the paper's size would start by mistake on a machine without a GPU."""
    if scale == "full" and device == "auto":
        import torch  # only here: a run with nothing to do never loads it

        if not torch.cuda.is_available():
            raise BenchError(
                "the full scale is the paper's size, and there is no GPU here: take --scale small, or insist with "
                "--device cpu"
            )


def _auto(attacks: Sequence[Setting], registry: Registry) -> DescribedAuto | None:
    """The ensemble `auto`, where it is among the attacks whole; a member that can't be used is not."""
    with suppress(BenchError):
        members = tuple(one.label for one in select_attacks("auto", registry))
        if {*members} <= {one.label for one in attacks}:
            return DescribedAuto(AUTO_VERSION, members)
    return None


def _each(texts: Mapping[str, str], select: Callable[[str], Sequence[Setting]]) -> dict[str, Setting]:
    """The one setting behind every short name. Raises BenchError where a text is several."""
    found = {}
    for name, text in texts.items():
        found[name], *others = select(text)
        if others:
            raise BenchError(f"{text!r} is {1 + len(others)} settings, and {name!r} must be one")
    return found


def use_data_root(folder: Path | None) -> None:
    """Let every task of this process, and of its workers, find its data in `folder`. Raises BenchError."""
    if folder is None:
        return
    if not folder.is_dir():
        raise BenchError(f"--data-root {folder} is no folder: give the folder that holds the data sets")
    os.environ[DATA_ROOT] = str(folder.absolute())
