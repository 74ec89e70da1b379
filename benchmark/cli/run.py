"""`bench run` and `bench plan`: the commands that make a plan."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from benchmark.cli.options import JSON, complete, dump, planning, requested
from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_USAGE
from benchmark.store.records import FINAL, RecordStore


@click.command()
@planning
@click.option("--fresh", is_flag=True, help="Run every job of this plan anew.")
@click.option(
    "--retry", multiple=True, type=click.Choice(["crashed", "not-applicable"]), help="Run jobs that ended so anew."
)
def run(fresh: bool, retry: tuple[str, ...], **options: Any) -> int:
    """Cross schemes with attacks, judge every cell and write the leaderboard.

    What is finished stays finished: a run that was stopped goes on, and nothing is trained twice.
    """
    from rich.console import Console

    from benchmark.execution.run import Machine, carry_out, refusals
    from benchmark.execution.run_file import manifest
    from leaderboard.judge.board import judge, read_run
    from leaderboard.pages.export import write_pages
    from leaderboard.pages.writers.terminal import show

    request = requested(**options)
    machine = Machine(request.results, request.run, request.workers, request.device)
    console = Console()
    for broken in request.registry.broken:
        console.print(f"left out: {broken.reason}", style="yellow", markup=False)
    described = manifest(request.plan, request.run, request.command, request.registry.broken)
    carry_out(request.plan, machine, described, console, fresh=fresh, retry=retry)
    board = judge(read_run(machine.folder, machine.store))
    write_pages(board, machine.folder)
    show(board, machine.folder, console)
    refused = refusals(request.plan.jobs, machine.store)
    for sentence in refused:
        click.echo(f"Error: {sentence}", err=True)
    return EXIT_USAGE if refused else EXIT_OK if complete(board) else EXIT_INCOMPLETE


@click.command()
@planning
@JSON
def plan(as_json: bool, **options: Any) -> int:
    """Show the cells of a run, what is finished already, and the time and disk the rest would take."""
    from benchmark.execution.progress import duration
    from benchmark.execution.run import STORE
    from benchmark.planning.durations import TYPICAL_MEGABYTES

    request = requested(**options)
    store = RecordStore(request.results / STORE)
    records = {job.id: store.read(job.id) for job in request.plan.jobs}
    todo = [job for job in request.plan.jobs if (records[job.id] or {}).get("status") not in FINAL]
    marked = [cell for cell in request.plan.cells if not cell.innocent]
    inapplicable = sum(cell.reason is not None for cell in marked)
    rows, columns, seeds = len(request.plan.schemes), len(request.plan.attacks), request.plan.profile.seeds
    thieves = request.plan.profile.thief.axis
    by_data = f" × {len(thieves)} thieves" if len(thieves) > 1 else ""
    seconds = sum(job.seconds for job in todo) / request.workers
    megabytes = sum(TYPICAL_MEGABYTES[job.kind] for job in todo)
    if as_json:
        jobs, left = (Counter(job.kind for job in some) for some in (request.plan.jobs, todo))
        dump({
            "schemes": [setting.label for setting in request.plan.schemes],
            "attacks": [setting.label for setting in request.plan.attacks],
            "seeds": seeds,
            "cells": request.plan.cells,
            "jobs": {kind: {"planned": count, "finished": count - left[kind]} for kind, count in jobs.items()},
            "to_do": {"jobs": len(todo), "seconds": seconds, "workers": request.workers, "megabytes": megabytes},
        })  # fmt: skip
        return EXIT_OK
    click.echo(f"{rows} schemes × {columns} attacks × {seeds} seeds{by_data}")
    innocents = len(request.plan.cells) - len(marked)
    click.echo(f"cells  {len(marked)} ({inapplicable} not applicable), and {innocents} of innocent models")
    unfinished = {job.id for job in todo}
    finished = Counter(job.kind for job in request.plan.jobs if job.id not in unfinished)
    for kind, count in Counter(job.kind for job in request.plan.jobs).items():
        click.echo(f"jobs   {kind:<9}{count:>5}   {finished[kind]:>5} finished")
    took = duration(seconds)
    click.echo(f"to do  {len(todo)} jobs, about {took} on {request.workers} workers, {megabytes:.0f} MB of disk")
    first = [cell for cell in marked if (cell.replicate, cell.pool, cell.share) == (0, *thieves[0])]
    for attack in request.plan.attacks:
        unfit = [cell for cell in first if cell.attack == attack.label and cell.reason]
        if unfit:
            click.echo(f"not applicable: {attack.label} × {len(unfit)} of {rows} schemes: {unfit[0].reason}")
    return EXIT_OK


COMMANDS = (run, plan)
