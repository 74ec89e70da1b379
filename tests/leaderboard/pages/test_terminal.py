"""The matrix in a terminal."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from leaderboard.pages.terminal import show


def shown(board: Any) -> str:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    show(board, console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_the_terminal_shows_words_hits_and_changes(full: Any) -> None:
    text = shown(full.board())
    assert "undecided (nulls)" in text
    assert "96/100 0.0" in text
    assert "5/100 -20.0" in text
    assert "committed: rejected" in text
    assert "1/2" in text  # innocents accused


def test_labels_are_text_and_not_markup(case: Any) -> None:
    shared = case.scheme("[red]adi[/red]\x1b[31m")
    case.hit(shared, "[red]adi[/red]\x1b[31m", "[bold]prune", 96)
    text = shown(case.board())
    assert "[red]adi[/red]" in text
    assert "[bold]prune" in text
    assert "\x1b" not in text
