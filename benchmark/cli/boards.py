"""Commands that read the board of a run, one's own or a published one: report, status, show, table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from benchmark.cli import options
from benchmark.errors import EXIT_OK, BenchError

if TYPE_CHECKING:
    from leaderboard.analysis.side_by_side import SideBySide
    from leaderboard.judge.board import Board


@click.command(short_help="Judge the records again and rewrite the pages; runs no job.")
@options.RESULTS
@options.READ_RUN
@options.ALPHA
@options.BUDGET
@options.STRICT
@click.option(
    "--beside",
    metavar="published:NAME|FOLDER",
    help="Put another run's verdicts beside this one's, square by square: a published board, or a folder.",
)
@options.JSON
def report(
    results: Path, run_name: str | None, alpha: float | None, budget: float | None, strict: bool | None,
    beside: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Derive every verdict again from the records and rewrite the pages; runs no job.

    A published board's pages go to RESULTS/published-NAME. With --beside, the page beside.md shows both runs: they must
    be of one profile and share a task, and the other is read at this one's alpha and budgets.
    """
    from benchmark.cli.terminal import Terminal
    from leaderboard.pages.board_json import document
    from leaderboard.pages.export import write_pages
    from leaderboard.pages.studies import side_by_side
    from leaderboard.pages.writers import terminal

    folder, board = options.read_board(results, run_name, alpha, budget, strict)
    both = None if beside is None else _beside(board, Path(beside))
    write_pages(board, folder, figures=True)
    options.advise_retry(board.run)
    if as_json:
        options.dump(document(board) | ({"beside": side_by_side.as_json(both)} if both else {}))
    else:
        terminal.show(board, folder, console := Terminal())
        if both:
            terminal.write(side_by_side.short(both), console)
            options.say(f"Every square of both: {side_by_side.write_beside(both, folder)}")
    return options.exit_code(board)


def _beside(board: Board, other: Path) -> SideBySide:
    """Another run beside the board's, read at its thresholds. Raises BenchError."""
    from benchmark.plugins.registry import Registry
    from leaderboard.analysis.side_by_side import side_by_side
    from leaderboard.judge.board import judge

    registry = Registry.discover(())
    defaults = {
        one.name: {parameter.name: parameter.default for parameter in one.parameters}
        for one in registry.schemes + registry.attacks
    }
    return side_by_side(board, judge(options.run_in(other), like=board.tracks), defaults)


@click.command()
@options.RESULTS
@options.READ_RUN
@options.JSON
def status(results: Path, run_name: str | None, as_json: bool) -> int:
    """Show how far a run has come, and what failed."""
    folder, board = options.read_board(results, run_name)
    records, jobs = board.run.records, board.run.description.jobs
    states = Counter(map(board.run.state, jobs))
    failed = [
        {"id": id, "label": job.label, "status": records[id]["status"], "reason": records[id]["reason"]}
        for id, job in jobs.items()
        if id in records and records[id]["status"] not in ("ok", "not-applicable")
    ]
    code = options.exit_code(board)
    options.advise_retry(board.run)
    if as_json:
        options.dump({"folder": str(folder), "complete": code == EXIT_OK, "jobs": states, "failed": failed})
        return code
    options.say(f"{folder}: {', '.join(f'{count} {state}' for state, count in states.most_common())}")
    for one in failed:
        options.fold(f"{one['status']}: {one['label']}: {one['reason']}", indent=2)
    return code


@click.command(short_help="Show everything known of one cell, or the whole matrix.")
@click.argument("cell", nargs=-1)
@click.option("--matrix", is_flag=True, help="Every square's verdict, in place of one cell.")
@options.RESULTS
@options.READ_RUN
@options.ALPHA
@options.BUDGET
@options.STRICT
@options.JSON
def show(
    cell: tuple[str, ...], matrix: bool, results: Path, run_name: str | None, alpha: float | None,
    budget: float | None, strict: bool | None, as_json: bool,
) -> None:  # fmt: skip
    """Show everything known of one cell, or with --matrix the verdict of every square.

    For example: `bench show 'rose(s=40)' 'prune(amount=0.5)'`.
    """
    from benchmark.cli.terminal import Terminal
    from leaderboard.pages.board_json import document, one_cell
    from leaderboard.pages.cell_facts import describe_cell, find_cells
    from leaderboard.pages.writers import terminal

    if matrix is bool(cell):
        raise BenchError("name a scheme and an attack, or give --matrix for every square")
    _, board = options.read_board(results, run_name, alpha, budget, strict)
    if matrix:
        if as_json:
            options.dump(document(board))
        else:
            terminal.show_matrix(board, Terminal())
        return
    found = find_cells(board, cell)
    if as_json:
        options.dump([one_cell(board, one) for one in found])
        return
    for line in "\n".join(describe_cell(board, one) for one in found).split("\n"):
        if line.startswith("  bench "):
            options.say(line)  # a command is copied as one line
        else:
            options.fold(line, indent=25 if line.startswith("  ") else 2)


@click.command(short_help="Print one table for a paper: attacks down, schemes across.")
@click.option("--schemes", default="all", show_default=True, help="Such as 'adi,passport', or 'rose*'.")
@click.option("--attacks", default="all", show_default=True, help="Such as 'prune,finetune*'.")
@click.option(
    "--rows",
    type=click.Choice(["family", "setting"]),
    default="family",
    show_default=True,
    help="All settings of an attack and of a scheme together, or each by itself.",
)
@click.option("--format", "form", type=click.Choice(["tex", "md", "csv"]), default="tex", show_default=True)
@options.RESULTS
@options.READ_RUN
@options.ALPHA
@options.BUDGET
@options.STRICT
def table(
    schemes: str, attacks: str, rows: Literal["family", "setting"], form: str, results: Path, run_name: str | None,
    alpha: float | None, budget: float | None, strict: bool | None,
) -> None:  # fmt: skip
    """Print one table that fits a page of a two-column paper: attacks down, schemes across.

    A square counts the marks (settings and seeds) that were withstood, of those judged; with --rows setting and one
    seed it is the power of ten of the p-value. For example: `bench table --attacks 'prune*,distill' > table.tex`.
    """
    from leaderboard.pages.writers.paper_table import TABLE_FORMATS, paper_table

    _, board = options.read_board(results, run_name, alpha, budget, strict)
    click.echo(TABLE_FORMATS[form](paper_table(board, schemes, attacks, rows)), nl=False)
