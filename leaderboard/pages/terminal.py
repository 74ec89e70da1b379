"""The matrix at the end of a run, for a terminal. Labels are untrusted text: they are never read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH
from leaderboard.pages import wording
from leaderboard.pages.md_table import one_line

_COLOURS = {
    "survived": "green",
    "rejected": "green",
    "not-marked": "green",
    "removed": "red",
    "forged": "red",
    "false-positive": "bold red",
    "utility-lost": "cyan",
    "undecided": "yellow",
    "embed-failed": "magenta",
    "crashed": "bold magenta",
    "timeout": "bold magenta",
    "oom": "bold magenta",
}


def show(board: Board, console: Console) -> None:
    """Print one table for each kind of attack, and the innocents, to `console`."""
    for one in tables(board):
        console.print(one)


def tables(board: Board) -> Iterator[Table]:
    """Attacks as rows, schemes as columns: verdict, hits and the change of utility; then innocents. Track by track."""
    for part in board.parts:
        yield from _of_track(part, f", {part.track.task}" if len(board.parts) > 1 else "")


def _of_track(board: Board, on: str) -> Iterator[Table]:
    for kind in board.kinds:
        made = _headed(board, kind + on)
        for attack in board.attacks:
            if attack.kind == kind:
                squares = (_square(board.at(scheme.label, attack.label)) for scheme in board.schemes)
                made.add_row(Text(one_line(attack.label)), *squares)
        yield made
    innocents = _headed(board, "unmarked" + on)
    tallies = [scheme.false_alarms.tally for scheme in board.schemes]
    counts = [(tally.count("false-positive"), tally.count("not-marked", "false-positive")) for tally in tallies]
    squares = (Text(f"{accused}/{seen}", style="bold red" if accused else "") for accused, seen in counts)
    innocents.add_row("accused, of verdicts", *squares)
    yield innocents


def _headed(board: Board, corner: str) -> Table:
    made = Table(header_style="bold")
    made.add_column(Text(one_line(corner)), overflow="fold")
    for scheme in board.schemes:
        made.add_column(Text(one_line(scheme.label)), overflow="fold")
    return made


def _square(cells: Sequence[Cell]) -> Text:
    lines = _short(cells[0]) if len(cells) == 1 else wording.square(cells)
    text = Text("\n".join(one_line(line) for line in lines))
    if cells:
        text.stylize(_COLOURS.get(cells[0].verdict.word, "dim"), 0, len(one_line(lines[0])))
    return text


def _short(cell: Cell) -> list[str]:
    """Few and short lines, so that the matrix fits a terminal."""
    numbers = []
    if cell.after is not None:
        after = cell.after
        seen = wording.total(after.total, after.n, after.kind == "count")
        numbers.append("unreadable" if wording.is_unreadable(after) else seen)
    if cell.utility is not None and not cell.claim:
        numbers.append(wording.changed(cell.utility.delta, cell.unit))
    flags = (flag for flag in cell.verdict.flags if flag != NO_BETTER_THAN_SCRATCH)  # too wide: on the page only
    lines = [wording.verdict(cell), " ".join(numbers), *flags]
    if cell.committed is not None and cell.committed.word != cell.verdict.word:
        lines.append(f"committed: {cell.committed.word}")
    return [line for line in lines if line]
