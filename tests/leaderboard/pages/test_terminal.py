"""The summary at the end of a run: what it counts, and that it fits a terminal of 80 columns."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from leaderboard.pages.writers.terminal import show

from ..conftest import published_board


def shown(board: Any, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show(board, Path("results/made-up"), console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def counts(text: str) -> dict[str, list[str]]:
    """The numbers of each kind of attack, of a run with one family of schemes."""
    rows = [line.split() for line in text[text.index("left out\n") :].splitlines()[1:]]
    return {" ".join(row[:-5]): row[-5:] for row in rows if len(row) > 5}


def test_the_summary_counts_verdicts_by_family_and_kind_and_names_the_pages(full: Any) -> None:
    text = shown(full.board())
    assert "Removal: 1 held, 2 useless, 4 broken of 11 marks (4 undecided)" in " ".join(text.split())
    found = counts(text)
    assert found["adi removal"] == ["1", "2", "4", "4", "5"]
    assert found["ambiguity"] == ["1", "–", "1", "1", "–"]
    assert found["innocent models"][:3] == ["1", "–", "1"]
    assert "results/made-up/leaderboard.html" in text


def test_a_small_run_lists_its_squares_and_a_large_one_does_not(case: Any) -> None:
    assert "p=" not in shown(published_board("quick"))
    case.hit(case.scheme("adi"), "adi", "prune", 96)
    assert "96/100" in shown(case.board())


@pytest.mark.parametrize("run", ["quick", "fmnist", "denoise"])
def test_no_line_is_wider_than_a_terminal(run: str) -> None:
    lines = shown(published_board(run)).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 60


def test_labels_are_text_and_not_markup(case: Any) -> None:
    shared = case.scheme("[red]adi[/red]\x1b[31m")
    case.hit(shared, "[red]adi[/red]\x1b[31m", "[bold]prune", 96)
    text = shown(case.board(), width=200)
    assert "[red]adi[/red]" in text
    assert "[bold]prune" in text
    assert "\x1b" not in text
