"""Which schemes do best in which situation: what a thief gets of the model, and what a court gets of his copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.analysis.auto import AutoRow, by_family
from leaderboard.analysis.overview import takers
from leaderboard.analysis.separation import placed
from leaderboard.judge.board import Board

_READS = ("weights",)  # what a court has to get of a suspect, of schemes that answers alone can't prove


@dataclass(frozen=True)
class Situation:
    """One situation on one track.

    name: "answers": the owner serves answers alone, so no attack that needs weights counts. "served": weights are
    released, and thieves serve their copies; schemes whose court needs weights can't be used. "read": weights are
    released, and the court reads those of the suspect. "images": an image-to-image model. attacks: how many count.
    best: the families of schemes that no test shows worse than the best, best first; left: the families that the
    situation leaves out. together: whether the best were told from any other.
    """

    name: str
    task: str
    attacks: int
    best: Sequence[AutoRow]
    others: Sequence[AutoRow]
    left: Sequence[str]


def situations(board: Board) -> list[Situation]:
    """Every situation that the board's attacks and schemes say something of, track by track."""
    return board.once("situations", lambda: [one for part in board.parts for one in _of_track(part)])


def _of_track(board: Board) -> list[Situation]:
    access = {row.label: str(row.described["access"]) for row in board.attacks}
    everything = takers(board)
    asked = [label for label in everything if access[label] != "weights"]
    families = list(dict.fromkeys(str(row.described["name"]) for row in board.schemes))
    readers = {str(row.described["name"]) for row in board.schemes if row.described["court"] in _READS}
    if board.track.unit == "dB":
        found = [("images", everything, families)]
    else:
        found = [
            ("answers", asked, families),
            ("served", everything, [name for name in families if name not in readers]),
            *([("read", everything, families)] if readers else []),
        ]
    made = (_situation(board, name, attacks, suited, families) for name, attacks, suited in found)
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
    return Situation(name, board.track.task, len(attacks), best, others, [one for one in families if one not in suited])
