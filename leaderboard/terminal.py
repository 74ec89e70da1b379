"""The matrix at the end of a run, for a terminal. Labels are untrusted text: they are never read as markup."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard import wording
from leaderboard.board import Board
from leaderboard.cells import Cell
from leaderboard.tables import one_line

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
    """Attacks as rows, schemes as columns: verdict, then hits and the change of utility in points."""
    for kind in board.kinds:
        yield _table(board, kind, [attack.label for attack in board.attacks if attack.kind == kind])
    innocent = list(dict.fromkeys(cell.attack for cell in board.cells if cell.innocent and cell.jobs))
    if innocent:
        yield _table(board, "unmarked, after", innocent, innocent=True)


def _table(board: Board, title: str, attacks: list[str], *, innocent: bool = False) -> Table:
    made = Table(title_justify="left", header_style="bold")
    made.add_column(Text(title))
    for scheme in board.schemes:
        made.add_column(Text(one_line(scheme.label)))
    for attack in attacks:
        squares = (_square(board, scheme.label, attack, innocent) for scheme in board.schemes)
        made.add_row(Text(one_line(attack)), *squares)
    return made


def _square(board: Board, scheme: str, attack: str, innocent: bool) -> Text:
    cells = board.at(scheme, attack, innocent=innocent)
    lines = wording.square(cells) if innocent or len(cells) != 1 else _short(cells[0])
    text = Text("\n".join(one_line(line) for line in lines), style="dim" if not cells else "")
    if cells:
        text.stylize(_COLOURS.get(cells[0].verdict.word, "dim"), 0, len(one_line(lines[0])))
    return text


def _short(cell: Cell) -> list[str]:
    """Two lines, so that the matrix fits a terminal."""
    numbers = []
    if cell.after is not None:
        after = cell.after
        seen = wording.total(after.total, after.n, after.kind == "count")
        numbers.append("unreadable" if wording.is_unreadable(after) else seen)
    if cell.committed is not None:
        numbers.append(f"committed: {cell.committed.word}")
    elif cell.utility is not None:
        numbers.append(wording.points(cell.utility.delta))
    return [wording.verdict(cell), " ".join(numbers)]
