"""The heat map on the first page, and how to read it."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import Section, Span

HEAT_MAP = "heat-map.svg"
_ABOUT = (
    "A row is a scheme, a column a family of attacks. The number is the share of marks that withstood, in per cent, "
    "over all settings and seeds: the mark held, or the thief's model lost its use."
)


def heat_map(board: Board) -> Section | None:
    """None where the board has no scheme or no attack."""
    if not any(part.schemes and any(row.kind != "control" for row in part.attacks) for part in board.parts):
        return None
    shows = "Heat map of schemes against families of attacks: the share of marks that withstood, as in the tables below"
    return Section("What is left of the marks", (_ABOUT, Span("", "break"), Span(shows, "image", HEAT_MAP)))
