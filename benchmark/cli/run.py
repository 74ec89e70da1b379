"""`bench run` and `bench plan`: the commands that make a plan."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from benchmark.cli import options
from benchmark.cli.output import outlives_its_reader
from benchmark.errors import EXIT_OK, EXIT_USAGE

if TYPE_CHECKING:
    from benchmark.app.planned_run import PlannedRun


@click.command()
@options.planning
@click.option("--fresh", is_flag=True, help="Run every job of this plan anew.")
@options.RETRY
@options.EXECUTOR
@options.ADDRESS
def run(planned: PlannedRun, fresh: bool, retry: tuple[str, ...], executor: str, address: str | None) -> int:
    """Cross schemes with attacks, judge every cell and write the leaderboard.

    What is finished stays finished: a run that was stopped goes on, and nothing is trained twice.
    """
    from rich.console import Console

    from benchmark.execution.run import refusals
    from leaderboard.judge.board import judge
    from leaderboard.pages.export import write_pages
    from leaderboard.pages.writers.terminal import show

    console = Console()
    machine = replace(planned.machine, cluster=options.cluster(executor, address))
    planned = replace(planned, machine=machine)
    for broken in planned.registry.broken:
        console.print(f"left out: {broken.reason}", style="yellow", markup=False)
    with outlives_its_reader(), planned.carried_out(console, fresh=fresh, retry=retry) as done:
        board = judge(done)
        write_pages(board, machine.folder)
        show(board, machine.folder, console)
    options.advise_retry(done)
    refused = refusals(planned.plan.jobs, machine.store)
    for sentence in refused:
        options.say(f"Error: {sentence}", err=True)
    return EXIT_USAGE if refused else options.exit_code(board)


@click.command()
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
    options.say(f"{len(plan.schemes)} schemes × {len(plan.attacks)} attacks × {seeds} seeds{by_data}")
    marked = [cell for cell in plan.cells if not cell.innocent]
    inapplicable, innocents = sum(cell.reason is not None for cell in marked), len(plan.cells) - len(marked)
    options.say(f"cells  {len(marked)} ({inapplicable} not applicable), and {innocents} of innocent models")
    for kind, count in to_do.planned.items():
        options.say(f"jobs   {kind:<9}{count:>5}   {to_do.finished[kind]:>5} finished")
    disk = f"{to_do.megabytes:.0f} MB of disk"
    options.say(f"to do  {to_do.jobs} jobs, about {duration(to_do.seconds)} on {workers} workers, {disk}")
    if to_do.basis:
        options.say(f"       {to_do.basis}")
    for attack in plan.attacks:
        unfit = {cell.scheme: cell for cell in marked if cell.attack == attack.label and cell.reason}
        if unfit:
            of = f"{len(unfit)} of {len(plan.schemes)} schemes"
            options.say(f"not applicable: {attack.label} × {of}: {next(iter(unfit.values())).reason}")
    return EXIT_OK
