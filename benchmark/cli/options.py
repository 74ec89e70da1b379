"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.data.download import provide
from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.errors import BenchError
from benchmark.planning.null_pools import null_attacks
from benchmark.planning.plan import Plan, make_plan
from benchmark.planning.profile import Profile, load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

if TYPE_CHECKING:
    from leaderboard.judge.board import Board

RESULTS = click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
    help="Folder of all runs; finished work in its store serves every later run.",
)  # fmt: skip
RUN_NAME = click.option(
    "--run", "run_name", help="Name of the run: its pages lie in RESULTS/NAME.  [default: the profile]"
)
PLUGIN = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with a scheme or attack; repeatable.",
)
ALPHA = click.option("--alpha", type=float, help="Present means p <= ALPHA. Changes verdicts, never runs a job.")
JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
BUDGET = click.option("--budget", type=float, help="Points of utility an attack may cost. Changes verdicts only.")

DATA_FOLDER = click.option(
    "--data-root", type=click.Path(path_type=Path), help="Folder of data sets that are not embedded."
)
OFFLINE = click.option("--offline", is_flag=True, help="Fetch no data: name the files that are missing.")
WORKERS = click.option("--workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)

_PLANNING = (
    click.option("--schemes", default="all", show_default=True, help="Such as 'adi,passport', 'a*' or 'rose(s=64)'."),
    click.option(
        "--attacks",
        default="all",
        show_default=True,
        help="Such as 'finetune*,prune(amount=0.8)' a chain 'prune(amount=0.6)+finetune+jpeg(quality=75)', "
        "or a sweep 'prune(amount=0.1..0.9:0.1)'.",
    ),
    click.option(
        "--profile", "profile_name", default="quick", show_default=True, help="A profile's name, or a .toml file."
    ),
    click.option("--task", help="Data set to train on, in place of the profile's."),
    DATA_FOLDER,
    OFFLINE,
    click.option("--thief-share", help="Shares of the thief's pool, such as 0,0.05,1: the first is the matrix's."),
    click.option("--thief-pool", help="disjoint, owner or both: whose images the thief has a share of."),
    click.option("--seeds", type=int, help="How many times host, key and attack are redrawn together."),
    ALPHA,
    BUDGET,
    click.option("--timeout", type=float, help="Seconds a single job may take."),
    RESULTS,
    RUN_NAME,
    PLUGIN,
    click.option("--workers", type=int, default=os.cpu_count() or 1, show_default=True, help="Jobs at a time."),
    DEVICE,
)


def planning(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that makes a plan."""
    return reduce(lambda inner, option: option(inner), reversed(_PLANNING), command)


@dataclass(frozen=True)
class Request:
    """A plan as it was asked for, and where it would run."""

    plan: Plan
    registry: Registry
    results: Path
    run: str
    workers: int
    device: str
    command: str


def requested(
    *,
    schemes: str,
    attacks: str,
    profile_name: str,
    task: str | None,
    data_root: Path | None,
    offline: bool,
    thief_share: str | None,
    thief_pool: str | None,
    seeds: int | None,
    alpha: float | None,
    budget: float | None,
    timeout: float | None,
    results: Path,
    run_name: str | None,
    plugins: Sequence[Path],
    workers: int,
    device: str,
) -> Request:
    """The request behind the options. Raises BenchError in one sentence."""
    from benchmark.execution.run import STORE
    from benchmark.planning.durations import history

    if workers < 1:
        raise BenchError(f"--workers must be at least 1, not {workers}")
    use_data_root(data_root)
    profile: Profile = load_profile(profile_name).with_options(
        task=task,
        thief_share=_shares(thief_share),
        thief_pool=None if thief_pool is None else tuple(word.strip() for word in thief_pool.split(",")),
        seeds=seeds,
        alpha=alpha,
        budget=budget,
        timeout=timeout,
    )
    for track in profile.tracks:
        provide(find_task(track.task), offline=offline)
    registry = Registry.discover(plugins)
    name = checked_name(run_name, profile.name)
    rows, columns = select_schemes(schemes, registry), select_attacks(attacks, registry)
    plan = make_plan(profile, rows, columns, null_attacks(profile, rows, registry), history(results / STORE))
    command = shlex.join(["bench", *sys.argv[1:]])
    return Request(plan, registry, results, name, workers, device, command)


def use_data_root(folder: Path | None) -> None:
    """Let every task of this process, and of its workers, find its data in `folder`. Raises BenchError."""
    if folder is None:
        return
    if not folder.is_dir():
        raise BenchError(f"--data-root {folder} is no folder: give the folder that holds the data sets")
    os.environ[DATA_ROOT] = str(folder.absolute())


def _shares(text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(map(float, text.split(",")))
    except ValueError:
        raise BenchError(f"--thief-share takes numbers between 0 and 1, such as 0,0.1,1, not {text!r}") from None


def dump(found: Any) -> None:
    """Print JSON: dataclasses as objects, infinities as strings (log10 of p = 0 is "-inf")."""
    from leaderboard.pages.board_json import plain

    click.echo(json.dumps(plain(found), indent=1, allow_nan=False))


def checked_name(given: str | None, otherwise: str) -> str:
    """A run's name, `otherwise` where none was given, is one folder's name. Raises BenchError."""
    name = otherwise if given is None else given
    if not name or name in (".", "..", "store") or "/" in name:
        raise BenchError(f"--run {name!r} can't name a folder of results: use letters, digits, - and _")
    return name


def complete(board: Board) -> bool:
    """Whether every cell of the run has a verdict; a pair that can't be run has one, too."""
    return all(
        cell.verdict.word not in ("crashed", "timeout", "oom", "not-run") for cell in (*board.cells, *board.beside)
    )
