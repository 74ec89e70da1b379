"""Sections of `leaderboard.md` that speak of one track at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leaderboard.judge.board import Board
from leaderboard.pages.md_table import escape


def on_tracks(board: Board, section: Callable[[Board], Sequence[str]]) -> list[str]:
    """The section of every track: under its task's name where there are several, its own headings one level lower."""
    if len(board.parts) == 1:
        return list(section(board.parts[0]))
    found = []
    for part in board.parts:
        lowered = (f"#{piece}" if piece.startswith("### ") else piece for piece in section(part))
        found += [f"### {escape(part.track.task)}, {escape(part.track.kind)}", *lowered]
    return found
