"""`bench reproduce`: one work's own experiments, by the jobs of an ordinary run, beside what its paper reports."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import click

from benchmark.cli.options import (
    DATA_FOLDER,
    DEVICE,
    OFFLINE,
    PLUGIN,
    RESULTS,
    RUN_NAME,
    WORKERS,
    checked_name,
    complete,
    use_data_root,
)
from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK, BenchError
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import Setting


@click.command()
@click.argument("work")
@click.option(
    "--scale",
    type=click.Choice(["full", "small"]),
    default="full",
    show_default=True,
    help="The paper's size, for a GPU; or minutes on a CPU, marked as such.",
)
@RESULTS
@RUN_NAME
@PLUGIN
@DATA_FOLDER
@OFFLINE
@WORKERS
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def reproduce(
    work: str,
    scale: str,
    results: Path,
    run_name: str | None,
    plugins: Sequence[Path],
    data_root: Path | None,
    offline: bool,
    workers: int,
    device: str,
    as_json: bool,
) -> int:
    """Reproduce WORK (adi, rose, keynet, passport or deepmodel): reported and measured side by side.

    Writes reproduction.md and reproduction.json beside the other pages. What counts as reproduced is declared in
    the work's file before anything is run. The exit code says whether every cell has a verdict, not whether the
    paper was right.
    """
    from rich.console import Console

    from benchmark.data.download import provide
    from benchmark.data.tasks import find_task
    from benchmark.execution.run import STORE, Machine, carry_out
    from benchmark.execution.run_file import manifest
    from benchmark.planning.durations import history
    from benchmark.planning.null_pools import null_attacks
    from benchmark.planning.plan import make_plan
    from benchmark.planning.profile import load_profile
    from benchmark.planning.reproduction import load_reproduction
    from benchmark.plugins.selection import select_attacks, select_schemes
    from leaderboard.judge.board import judge, read_run
    from leaderboard.pages import reproduction_page
    from leaderboard.pages.export import write_pages

    told = load_reproduction(work)
    _check_size(scale, device)
    use_data_root(data_root)
    wanted, registry = told.scales[scale], Registry.discover(plugins)
    schemes = _each(wanted.schemes, lambda text: select_schemes(text, registry))
    attacks = _each(wanted.attacks, lambda text: select_attacks(text, registry))
    profile = load_profile(wanted.profile)
    for task in {track.task for one in schemes.values() if (track := profile.track(one.tasks))}:
        provide(find_task(task), offline=offline)
    rows = _once(schemes)
    plan = make_plan(
        profile, rows, _once(attacks), null_attacks(profile, rows, registry), history(results / STORE)
    )  # fmt: skip
    machine = Machine(results, checked_name(run_name, told.run_name(scale)), workers, device)
    described = manifest(plan, machine.run, shlex.join(["bench", *sys.argv[1:]]), registry.broken)
    labels = [{name: setting.label for name, setting in chosen.items()} for chosen in (schemes, attacks)]
    console = Console(stderr=as_json)
    carry_out(plan, machine, described | {"reproduction": told.described(scale, *labels)}, console)
    board = judge(read_run(machine.folder, machine.store))
    write_pages(board, machine.folder)
    if as_json:
        click.echo(reproduction_page.reproduction_json(board))
    else:
        click.echo(f"{reproduction_page.summary(board)}\nPage: {machine.folder / 'reproduction.md'}")
    return EXIT_OK if complete(board) else EXIT_INCOMPLETE


def _check_size(scale: str, device: str) -> None:
    """Raise BenchError where the paper's size would start by mistake on a machine without a GPU."""
    if scale == "full" and device == "auto":
        import torch

        if not torch.cuda.is_available():
            raise BenchError(
                "the full scale is the paper's size, and there is no GPU here: take --scale small, or insist with "
                "--device cpu"
            )


def _each(texts: Mapping[str, str], select: Callable[[str], Sequence[Setting]]) -> dict[str, Setting]:
    """The one setting behind every short name. Raises BenchError where a text is several."""
    found = {name: select(text) for name, text in texts.items()}
    for name, settings in found.items():
        if len(settings) != 1:
            raise BenchError(f"{texts[name]!r} is {len(settings)} settings, and {name!r} must be one")
    return {name: settings[0] for name, settings in found.items()}


def _once(named: Mapping[str, Setting]) -> list[Setting]:
    """Settings in the order of their names, each once."""
    by_label: Iterable[Setting] = {setting.label: setting for setting in named.values()}.values()
    return list(by_label)


COMMANDS = (reproduce,)
