"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli import completion, own_host
from benchmark.cli.output import folded
from benchmark.description import did_you_mean
from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK, BenchError, printable
from benchmark.execution.placement.devices import device_name
from benchmark.plugins import selection
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import Setting

if TYPE_CHECKING:
    from benchmark.execution.run import Machine
    from benchmark.store.records import RecordStore
    from leaderboard.judge.board import Board
    from leaderboard.judge.run import Run

PATH, FOLDER = click.Path(path_type=Path), click.Path(path_type=Path, file_okay=False)


def profile_option(default: str) -> Callable[..., Any]:
    return click.option("--profile", default=default, show_default=True, help="A profile's name, or a .toml file.")


SCHEME = click.option(
    "--scheme", required=True, shell_complete=completion.one_scheme,
    help="One scheme, such as 'adi' or 'rose(s=64)'.",
)  # fmt: skip
RESULTS = click.option(
    "--results", type=PATH, default=Path("results"), show_default=True,
    help="Folder of all runs; finished work in its store serves every later run.",
)  # fmt: skip
RUN_NAME = click.option(
    "--run", "run_name", help="Name of the run: its pages lie in RESULTS/NAME.  [default: the profile]"
)
READ_RUN = click.option(
    "--run", "run_name", metavar="NAME|published:NAME",
    help="A run in RESULTS, or a published board.  [default: the newest run in RESULTS]",
)  # fmt: skip
OWN_RUN = click.option("--run", "run_name", help="A run in RESULTS.  [default: the newest]")
PLUGIN = click.option(
    "--plugin", "plugins", multiple=True, type=PATH, help="A file with a scheme or attack; repeatable."
)
ALPHA = click.option("--alpha", type=float, help="Present means p <= ALPHA. Changes verdicts, never runs a job.")
JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
BUDGET = click.option("--budget", type=float, help="Points of utility an attack may cost. Changes verdicts only.")
STRICT = click.option(
    "--strict", is_flag=True, default=None, help="Let p_null count beside an exact p_key. Changes verdicts only."
)
DATA_FOLDER = click.option("--data-root", type=PATH, help="Folder of data sets that are not embedded.")
OFFLINE = click.option("--offline", is_flag=True, help="Fetch no data: name the files that are missing.")
SECRET = click.option(
    "--secret", metavar="FILE|published:NAME",
    help="Reproduce a run under its secret.  [default: the store's own, drawn at its first run]",
)  # fmt: skip


def _workers(text: str) -> int | None:
    with suppress(ValueError):
        return None if text == "auto" else int(text)
    raise BenchError(f"--workers takes auto or a number, not {text!r}")


WORKERS = click.option(
    "--workers", type=_workers, metavar="auto|N", default="auto", show_default=True,
    help="Jobs at a time; auto: as many as cores, memory and GPUs carry.",
)  # fmt: skip
MEMORY = click.option(  # a process that has only loaded torch takes less than the least
    "--memory", type=click.IntRange(min=128), metavar="MB", help="What each worker may take at most, 128 MB or more."
)
RETRY = click.option(
    "--retry", multiple=True, type=click.Choice(["crashed", "not-applicable", "damaged"]),
    help="Run jobs that ended so anew; damaged: those whose model or key in the store is not what was written.",
)  # fmt: skip
EXECUTOR = click.option(
    "--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="Where jobs run: on this machine, or on the nodes of a Ray cluster, --workers on each.  "
    "[there: one per CPU, at most six per GPU]",
)  # fmt: skip
ADDRESS = click.option(
    "--address", metavar="HOST:PORT", help="Of the head of the Ray cluster.  [default: this machine's, or a new one]"
)
DEVICE = click.option(
    "--device", type=device_name, metavar="auto|cpu|cuda|cuda:N", default="auto", show_default=True,
    help="cuda: every GPU; cuda:N: one of them; auto: GPUs where there are any.",
)  # fmt: skip


def _counts(text: str) -> tuple[int | str, ...]:
    try:
        return tuple(word if word == "all" else int(word) for word in _words(text))
    except ValueError:
        raise BenchError(f"a thief has numbers of images, such as 30,100, or all, not {text!r}") from None


def _no_share(context: click.Context, option: click.Parameter, given: str | None) -> None:
    if given is not None:
        raise BenchError(
            "--thief-share is gone: give --thief-labelled and --thief-unlabelled, numbers of images of the thief's pool"
        )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _selection(usual: str) -> tuple[Callable[..., Any], ...]:
    """Which schemes and attacks, where none are named."""
    return (
        click.option(
            "--schemes", default=usual, show_default=True, shell_complete=completion.schemes,
            help="all: every setting; standard: one of each; or such as 'adi,passport', 'a*' or 'rose(s=64)'.",
        ),
        click.option(
            "--attacks", default=usual, show_default=True, shell_complete=completion.attacks,
            help="all: one setting of each; grid: every one; standard: what a reader expects; auto: what schemes are "
            "ranked by (`bench describe auto`); or such as 'finetune*,prune(amount=0.8)', a chain "
            "'prune(amount=0.6)+finetune+jpeg(quality=75)', or a sweep 'prune(amount=0.1..0.9:0.1)'.",
        ),
    )  # fmt: skip


_PLANNING = (
    own_host.options("quick"),
    click.option(
        "--task", help="Data set to train on, in place of the profile's; folder:NAME, folder-pairs:NAME for your own."
    ),
    DATA_FOLDER,
    OFFLINE,
    click.option(
        "--thief-labelled", type=_counts, metavar="N|all,…",
        help="Images of the thief's that have labels, such as 30,100: the first is the matrix's.",
    ),
    click.option(
        "--thief-unlabelled", type=_counts, metavar="N|all,…",
        help="Images of the thief's that have none; all: what is left of his pool.",
    ),
    click.option("--thief-share", hidden=True, expose_value=False, callback=_no_share),
    click.option(
        "--thief-pool", type=_words, metavar="TEXT",
        help="disjoint, owner, or disjoint,owner for both: whose images the thief has some of.",
    ),
    click.option("--seeds", type=int, help="How many times host, key and attack are redrawn together."),
    ALPHA,
    BUDGET,
    STRICT,
    click.option("--timeout", type=float, help="Seconds a single job may take."),
    RESULTS,
    RUN_NAME,
    SECRET,
    PLUGIN,
    WORKERS,
    DEVICE,
    MEMORY,
)  # fmt: skip


def planning(command: Callable[..., Any], *, keep: bool = True, usual: str = "all") -> Callable[..., Any]:
    """The options of every command that makes a plan, which it is given as a `PlannedRun`; keep: see `plan_run`.

    usual: the schemes and attacks where none are named.
    """

    @wraps(command)
    def planned(**given: Any) -> Any:
        from benchmark.app.planned_run import RunOptions, plan_run
        from benchmark.execution.placement.host import workers

        own = {name: given.pop(name) for name in RunOptions.__dataclass_fields__}
        if own["workers"] and given.get("executor") != "ray":
            workers(own["workers"])  # says how many this machine carries, before anything is made
        return command(plan_run(RunOptions(**own), typed_command(), keep=keep), **given)

    return reduce(lambda inner, option: option(inner), reversed((*_selection(usual), *_PLANNING)), planned)


def typed_command() -> str:
    """The command as it was typed, for `run.json`."""
    return shlex.join(["bench", *sys.argv[1:]])


def one_scheme(scheme: str, plugins: Sequence[Path]) -> tuple[Setting, Registry]:
    """The one setting that --scheme names, and the plug-ins there are. Raises BenchError where it names several."""
    registry = Registry.discover(plugins)
    return selection.one_scheme(scheme, registry), registry


def judged_run(
    results: Path,
    run_name: str | None,
    alpha: float | None = None,
    budget: float | None = None,
    strict: bool | None = None,
) -> tuple[Machine, Board]:
    """A run's folder and store, and its board at these thresholds; the newest run without a name.

    Raises BenchError where no run has the name, or it is that of a published board.
    """
    from benchmark.execution.run import Machine
    from leaderboard.judge.board import judge
    from leaderboard.judge.published import PREFIX
    from leaderboard.judge.run import find_run, newest_run, run_names

    if run_name is None and (run_name := newest_run(results)) is None:
        raise BenchError(f"there is no run in {results}: `bench run` starts one; --run published:quick reads a board")
    if run_name.startswith(PREFIX):
        raise BenchError(f"{run_name} has no models here and its pages are not yours to change: name a run of your own")
    machine = Machine(results, run_name)
    if machine.run not in (known := run_names(results)):
        start = "start one with `bench run`"
        hint = did_you_mean(machine.run, known, "there are", instead=start) if known else start
        raise BenchError(f"no run is called {machine.run!r} in {results}: {hint}")
    store = machine.store
    run = find_run(machine.folder, store)
    name_damage(store, run)
    return machine, judge(run, alpha, budget, strict=strict)


def read_board(
    results: Path,
    run_name: str | None,
    alpha: float | None = None,
    budget: float | None = None,
    strict: bool | None = None,
) -> tuple[Path, Board]:
    """`judged_run` of a run that is only read, which a published board may be, too; and the folder for its pages."""
    from leaderboard.judge.board import judge
    from leaderboard.judge.published import PREFIX, published_folder
    from leaderboard.judge.run import read_run

    if run_name is None or not run_name.startswith(PREFIX):
        machine, board = judged_run(results, run_name, alpha, budget, strict)
        return machine.folder, board
    folder = published_folder(run_name)
    return results / f"published-{folder.name}", judge(read_run(folder), alpha, budget, strict=strict)


def run_in(folder: Path) -> Run:
    """The run of a results folder, or a published one. Raises BenchError."""
    from benchmark.store.records import RecordStore
    from leaderboard.judge.published import PREFIX, published_folder
    from leaderboard.judge.run import find_run, read_run

    if str(folder).startswith(PREFIX):
        return read_run(published_folder(str(folder)))
    store = RecordStore(folder.absolute().parent / "store")
    run = find_run(folder, store if (store.root / "records").is_dir() else None)
    name_damage(store, run)
    return run


def name_damage(store: RecordStore, run: Run) -> None:
    """Say which records of a run are damaged, and what makes them again."""
    for path, reason in store.damaged:
        again = f"{reason}; it is left out, and `{run.described['command']}` makes it again"
        say(printable(f"{path}: {again}"), err=True)


def advise_retry(run: Run) -> None:
    """Say how jobs that crashed are run again: a crash is final until somebody asks for it."""
    from benchmark.store.retry import retrying

    if crashed := sum(record["status"] == "crashed" for record in run.records.values()):
        again = retrying(run.described["command"], "crashed")
        say(f"{crashed} jobs crashed, and stay so until you run: {again}", err=True)


def say(text: str, *, err: bool = False) -> None:
    """Print text of one or more lines. What comes from files and plug-ins can't steer the terminal."""
    click.echo("\n".join(map(printable, text.split("\n"))), err=err)


def fold(text: str, indent: int) -> None:
    """Print one line of text, folded to the terminal's width; see `folded`."""
    say(folded(printable(text), indent))


def print_lines(lines: Sequence[tuple[str, str]]) -> None:
    """Print names and texts in two columns."""
    width = max(14, *(len(name) + 2 for name, _ in lines))
    for name, text in lines:
        say(printable(f"{name:<{width}}{text}"))


def dump(found: Any) -> None:
    """Print JSON: dataclasses as objects, infinities as strings (log10 of p = 0 is "-inf")."""
    from leaderboard.pages.board_json import plain

    click.echo(json.dumps(plain(found), indent=1, allow_nan=False))


def exit_code(board: Board) -> int:
    """Whether every cell of the run has a verdict; a pair that can't be run has one, too."""
    words = {cell.verdict.word for cell in (*board.cells, *board.beside)}
    return EXIT_OK if words.isdisjoint(("crashed", "timeout", "oom", "not-run")) else EXIT_INCOMPLETE
