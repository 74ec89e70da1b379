"""`bench run`, `bench audit` and `bench plan`: the commands that make a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli import options
from benchmark.cli.output import outlives_its_reader
from benchmark.errors import EXIT_OK, EXIT_USAGE

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.app.planned_run import PlannedRun
    from leaderboard.judge.board import Board


@click.command(short_help="Cross schemes with attacks and write the leaderboard.")
@options.planning
@click.option("--fresh", is_flag=True, help="Run every job of this plan anew.")
@options.RETRY
@options.EXECUTOR
@options.ADDRESS
def run(planned: PlannedRun, fresh: bool, retry: tuple[str, ...], executor: str, address: str | None) -> int:
    """Cross schemes with attacks, judge every cell and write the leaderboard.

    What is finished stays finished: a run that was stopped goes on, and nothing is trained twice.
    """
    from leaderboard.pages.writers.terminal import show

    return _carried_out(planned, retry, executor, address, show, fresh=fresh)


@click.command(short_help="Try schemes on a model: one page of what would protect it.")
@partial(options.planning, usual="standard")
@click.option("--out", type=options.FOLDER, help="Folder of the page.  [default: that of the run's pages]")
@options.RETRY
@options.EXECUTOR
@options.ADDRESS
def audit(planned: PlannedRun, out: Path | None, retry: tuple[str, ...], executor: str, address: str | None) -> int:
    """Run schemes against attacks on one model, and write a page of what would protect it.

    audit.md and audit.html say which schemes survive, what each costs, which attack breaks it at what cost to the
    thief, whom it accuses, and what was not tested. An audit that was stopped goes on with the same command.
    """

    def show(board: Board, folder: Path, console: Console) -> None:
        from leaderboard.pages.studies.audit import in_short, write_audit
        from leaderboard.pages.writers import terminal

        pages = write_audit(board, out or folder, folder.parent)
        terminal.write(in_short(board), console)
        options.say(f"The page: {' and '.join(map(str, pages))}")

    return _carried_out(planned, retry, executor, address, show)


def _carried_out(
    planned: PlannedRun, retry: tuple[str, ...], executor: str, address: str | None,
    show: Callable[[Board, Path, Console], None], *, fresh: bool = False,
) -> int:  # fmt: skip
    """Run what has no final record, show the board, and say what failed; returns the exit code."""
    from benchmark.app.api import functions
    from benchmark.cli.terminal import Terminal
    from benchmark.execution.run import refusals

    console = Terminal()
    machine = replace(planned.machine, cluster=functions.cluster(executor, address, planned.machine.workers))
    planned = replace(planned, machine=machine)
    for broken in planned.registry.broken:
        console.print(f"left out: {broken.reason}", style="yellow", markup=False)
    with outlives_its_reader():
        board = functions.finished(planned, console, fresh=fresh, retry=retry)
        show(board, machine.folder, console)
    options.advise_retry(board.run)
    refused = refusals(planned.plan.jobs, machine.store)
    for sentence in refused:
        options.say(f"Error: {sentence}", err=True)
    return EXIT_USAGE if refused else options.exit_code(board)


@click.command(short_help="Show a run's cells, what is finished, and what is left.")
@partial(options.planning, keep=False)
@options.JSON
def plan(planned: PlannedRun, as_json: bool) -> int:
    """Show the cells of a run, what is finished already, and the time and disk the rest would take."""
    from benchmark.execution.progress import duration

    plan, workers, to_do = planned.plan, planned.machine.jobs_at_a_time, planned.to_do()
    seeds, thieves = plan.profile.seeds, plan.profile.thieves
    if as_json:
        options.dump({
            "schemes": [setting.label for setting in plan.schemes],
            "attacks": [setting.label for setting in plan.attacks],
            "seeds": seeds,
            "cells": plan.cells,
            "jobs": {
                kind: {"planned": count, "finished": to_do.finished[kind]} for kind, count in to_do.planned.items()
            },
            "to_do": {
                "jobs": to_do.jobs, "seconds": to_do.seconds, "basis": to_do.basis, "workers": workers,
                "megabytes": to_do.megabytes,
            },
        })  # fmt: skip
        return EXIT_OK
    by_data = f" × {len(thieves)} thieves" if len(thieves) > 1 else ""
    size = ((len(plan.schemes), "scheme"), (len(plan.attacks), "attack"), (seeds, "seed"))
    options.say(f"{' × '.join(_counted(*one) for one in size)}{by_data}")
    marked = [cell for cell in plan.cells if not cell.innocent]
    inapplicable = sum(cell.reason is not None for cell in marked)
    innocents = sum(cell.innocent and cell.reason is None for cell in plan.cells)
    options.say(f"cells  {len(marked) - inapplicable} of marked models and {innocents} of innocent ones")
    for kind, count in to_do.planned.items():
        options.say(f"jobs   {kind:<9}{count:>5}   {to_do.finished[kind]:>5} finished")
    disk = f"{to_do.megabytes:.0f} MB of disk"
    options.say(f"to do  {to_do.jobs} jobs, about {duration(to_do.seconds)} on {workers} workers, {disk}")
    if to_do.basis:
        options.fold(f"       {to_do.basis}", indent=7)
    if apart := plan.kept_apart():
        options.say(f"{inapplicable} of {len(marked)} cells are not applicable:")
    for one in apart:
        attacks, schemes = _counted(one.attack_count, "attack"), _counted(one.scheme_count, "scheme")
        options.fold(f"{one.cells:>7}  {attacks} {one.attacks}".rstrip() + f" × {schemes} {one.schemes}", indent=9)
    return EXIT_OK


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
