"""The summary at the end of a run: what it counts, and that it fits a terminal of 80 columns."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from leaderboard.pages.writers.terminal import show, show_matrix

from ..conftest import published_board


def shown(board: Any, width: int = 80, *, matrix: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    if matrix:
        show_matrix(board, console)
    else:
        show(board, Path("results/made-up"), console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_the_summary_counts_verdicts_by_family_and_kind_and_names_the_pages(full: Any) -> None:
    text = shown(full.board())
    assert "Removal: 1 held, 2 useless, 4 broken of 11 marks (4 undecided)" in " ".join(text.split())
    rows = [line.split() for line in text.splitlines() if line.startswith(("adi ", "weak "))]
    assert rows == [["adi", "4–8/11"], ["weak", "–"], ["adi", "1–2/3", "0/3", "1/2"], ["weak", "–", "–", "–"]]
    assert "results/made-up/leaderboard.html" in text


def test_the_matrix_has_every_square_with_its_verdicts_counted(full: Any) -> None:
    board = full.board()
    text = shown(board, matrix=True)
    rows = dict(line.split(maxsplit=1) for line in text.splitlines() if line.startswith(" "))
    assert {row.label for row in board.attacks if " " not in row.label} == set(rows) - {"undecided"}
    assert rows["removed"].split() == ["removed", "–"]
    assert rows["survived"].split() == ["survived", "embed-failed"]


def test_seeds_share_a_square_of_the_matrix(case: Any) -> None:
    for replicate, hits in enumerate((96, 96, 5)):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", hits, replicate=replicate)
    case.run["profile"]["seeds"] = 3
    text = shown(case.board(), matrix=True)
    assert re.search(r" prune +survived 2/3\s+removed 1/3", text)


@pytest.mark.parametrize("run", ["quick", "fmnist", "denoise"])
def test_no_line_is_wider_than_a_terminal(run: str) -> None:
    board = published_board(run)
    lines = shown(board).splitlines()
    assert max(map(len, [*lines, *shown(board, matrix=True).splitlines()])) <= 80
    assert len(lines) <= 60


def test_labels_are_text_and_not_markup(case: Any) -> None:
    shared = case.scheme("[red]adi[/red]\x1b[31m")
    case.hit(shared, "[red]adi[/red]\x1b[31m", "[bold]prune", 96)
    text = shown(case.board(), width=200) + shown(case.board(), width=200, matrix=True)
    assert "[red]adi[/red]" in text
    assert "[bold]prune" in text
    assert "\x1b" not in text
