"""Rows that came from outside: what they found, whether somebody has replayed them, and their hashes."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.judge.outside import OutsideRow
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, Span, lines, strong

ABOUT = (
    "Others ran these rows and sent them as bundles. A verified one was replayed: its models under its keys gave the "
    "recorded answers and verdicts once more. How a thief came to his model, and what unmarked models showed, is the "
    "sender's word, so no count, rank or headline of this board includes these rows. The seeds, keys and marked models "
    "are the sender's own."
)
_ROOM = 300  # signs


def outside(board: Board) -> Section | None:
    """Every bundle with its state and hashes, and the squares of those that no replay has refuted; None without any."""
    if not board.outside:
        return None
    header = ["scheme", "attack", "outcome", "state", "bundle"]
    rows: list[list[Inline]] = [
        [_short(square.scheme), _short(square.attack), lines(wording.square(square.cells)), row.state, row.sha256[:12]]
        for row in board.outside
        for square in row.squares
    ]
    bundles: list[list[Inline]] = [
        [row.row or "–", _state(row), Span(row.sha256, "code"), lines(_code(row)), _made(row)] for row in board.outside
    ]
    told = ["row", "state", "SHA-256 of the bundle", "plug-ins, by the digest of their code", "made by"]
    parts = [Section(header=told, rows=bundles), *([Section(header=header, rows=rows)] if rows else [])]
    return Section("Rows from outside", ABOUT, parts=parts)


def _short(text: str) -> str:
    """A text of the sender's, as far as a table has room for it."""
    return text if len(text) <= _ROOM else f"{text[:_ROOM]} […]"


def _state(row: OutsideRow) -> Inline:
    replayed = row.entry.replayed if row.entry else None
    said = f": {replayed.outcome}, by {replayed.version}" if row.state == "verified" and replayed else ""
    return (strong(row.state), said or (f": {row.reason}" if row.reason else ""))


def _code(row: OutsideRow) -> list[Inline]:
    code = {name: digest for square in row.squares for name, digest in square.code.items()}
    return [(f"{_short(name)} ", Span(digest[:12], "code")) for name, digest in sorted(code.items())]


def _made(row: OutsideRow) -> str:
    return f"watermark-bench {_short(row.entry.version)}" if row.entry else "–"
