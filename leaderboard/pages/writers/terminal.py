"""The summary at the end of a run, for a terminal of 80 columns. Labels are untrusted text, never read as markup."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import Inline, Section, one_line, piece, spans
from leaderboard.pages.sections.matrix import squares
from leaderboard.pages.sections.results import by_family, headlines

_STYLES = {"strong": "bold", "code": "cyan"}
_FEW = 24  # squares that are listed one by one


def show(board: Board, folder: Path, console: Console) -> None:
    """Print the headline, the verdicts of a small run or the counts of a large one, and where the pages lie."""
    for size, numbers in headlines(board):
        console.print(Text.assemble((f"{one_line(size)}. ", "bold"), one_line(numbers)))
    listed = squares(board)
    few = listed if len(listed.rows) <= _FEW else Section(text=listed.text)
    write([few, by_family(board)], console)
    console.print(Text(f"Pages: {one_line(folder / 'leaderboard.html')}, and leaderboard.md beside it"), soft_wrap=True)


def write(sections: Iterable[Section], console: Console) -> None:
    """Print sections one after the other; long cells are folded, so that no line is wider than the console."""
    for section in sections:
        if section.title:
            console.print(Text.assemble("\n", (_text(section.title).plain, "bold")))
        if section.text:
            console.print(_text(section.text))
        if section.header:
            table = Table(header_style="bold", box=None, pad_edge=False)
            for column, name in enumerate(section.header):
                table.add_column(_text(name), overflow="fold", justify="right" if section.right(column) else "left")
            for row in section.rows:
                table.add_row(*(_text(cell) for cell in row))
            console.print(table)
        write(section.parts, console)


def _text(text: Inline) -> Text:
    found = Text()
    for one in spans(text):
        if isinstance(one, str):
            found.append(piece(one))
        else:
            found.append("\n" if one.mark == "break" else one_line(one.text), _STYLES.get(one.mark))
    return found
