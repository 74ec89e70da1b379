"""Which schemes do best in which situation: what a thief gets of the model, and what a court gets of his copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from leaderboard.analysis.auto import AutoRow, by_family
from leaderboard.analysis.overview import takers
from leaderboard.analysis.separation import placed
from leaderboard.judge.board import Board

Released = Literal["weights", "api"]  # what an owner gives out: the model itself, or its answers alone
RELEASES: tuple[Released, ...] = ("weights", "api")

_READS = ("weights",)  # what a court has to get of a suspect, of schemes that answers alone can't prove


@dataclass(frozen=True)
class Situation:
    """One situation on one track.

    name: "asked": the owner serves answers alone, so no attack that needs weights counts, and a court sees answers
    alone, so schemes whose court needs weights can't be used. "answers": the same where a court can read the copy's
    weights. "served": weights are released, and thieves serve their copies. "read": weights are released, and the court
    reads those of the suspect. "images": an image-to-image model is released; "image answers": it is served. attacks:
    the labels of those that count. best: the families of schemes that no test shows worse than the best, best first;
    left: the families that the situation leaves out.
    """

    name: str
    task: str
    attacks: Sequence[str]
    best: Sequence[AutoRow]
    others: Sequence[AutoRow]
    left: Sequence[str]


def situations(board: Board) -> list[Situation]:
    """Every situation that the board's attacks and schemes say something of, track by track."""
    return board.once("situations", lambda: _of_board(board))


def _of_board(board: Board) -> list[Situation]:
    """Of image-to-image models only that of a release, since nearly every thief there needs answers alone."""
    found: list[Situation] = []
    for part in board.parts:
        if part.track.unit == "points":
            found += released(part, "api")
        found += released(part, "weights")
    return found


def in_reach(what: Released, access: str) -> bool:
    """Whether a thief of what the owner gives out can run an attack that needs this access."""
    return what == "weights" or access != "weights"


def released(board: Board, what: Released) -> list[Situation]:
    """The situations of an owner who gives out the weights, or answers alone, on a board of one task."""
    access = {row.label: str(row.described["access"]) for row in board.attacks}
    attacks = [label for label in takers(board) if in_reach(what, access[label])]
    families = list(dict.fromkeys(str(row.described["name"]) for row in board.schemes))
    readers = {str(row.described["name"]) for row in board.schemes if row.described["court"] in _READS}
    asked = [name for name in families if name not in readers]
    if board.track.unit == "dB":
        found = [("images" if what == "weights" else "image answers", families)]
    else:
        alone, also = ("asked", "answers") if what == "api" else ("served", "read")
        found = [(alone, asked), *([(also, families)] if readers else [])]
    made = (_situation(board, name, attacks, suited, families) for name, suited in found)
    return [one for one in made if one is not None]


def _situation(
    board: Board, name: str, attacks: Sequence[str], suited: Sequence[str], families: Sequence[str]
) -> Situation | None:
    rows = {row.name: row for row in by_family(board, attacks) if row.name in suited and row.survival.seeds}
    if not rows:
        return None
    groups = {one.name: one.group for one in placed(board, attacks, list(rows))}
    best = [row for row in rows.values() if groups.get(row.name) == 1]
    others = [row for row in rows.values() if row not in best]
    left = [one for one in families if one not in suited]
    return Situation(name, board.track.task, attacks, best, others, left)
