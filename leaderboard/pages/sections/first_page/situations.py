"""Which scheme for which situation, in words."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.analysis.auto import AutoRow
from leaderboard.analysis.situations import Situation
from leaderboard.analysis.situations import situations as found_in
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, filled, joined, listed, strong
from leaderboard.pages.sections.auto import count
from leaderboard.pages.sections.links import Links

SITUATIONS = {
    "asked": "API: you serve answers only, and a court sees answers of the copy only",
    "answers": "API: you serve answers only, and a court can read the weights of the copy",
    "served": "You release weights, and the thief serves his copy: a court sees answers only",
    "read": "You release weights, and a court can read those of the copy",
    "images": "Image-to-image model",
    "image answers": "API of an image-to-image model: you serve answers only",
}
MOST_NAMED = 6  # attacks that a cell of the table names
_ABOUT = (
    "Counted is every attack of this board that a thief in this situation can run. Best: the schemes that no test "
    "shows to be worse than the best one (group 1, under these attacks), each with the cases that survived; where all "
    "schemes stand there, these seeds tell none apart. Can't be used: the court needs weights, and sees answers only. "
    "Cheapest break: the attack that most often is the cheapest that breaks the first scheme of the row, in how many "
    "of its cases it is, and its median work; another may break more of them."
)


def situations(board: Board) -> Section | None:
    """One row for each situation; None where no case has an outcome."""
    to = Links(board)
    several = len(board.parts) > 1
    rows = [_row(one, to, several=several) for one in found_in(board)]
    header = ["situation", "attacks", "best", "shown worse", "can't be used", "cheapest break"]
    return filled(Section("Which scheme for which situation", _ABOUT, header, rows)) if rows else None


def _row(one: Situation, to: Links, *, several: bool) -> list[Inline]:
    on = f", {one.task}" if several else ""
    left: Inline = to.families(one.left) if one.left else "–"
    none: list[Inline] = []
    if not one.best[0].survival.low:
        none = [strong("No mark was seen to survive."), " Not told apart: " if len(one.best) > 1 else " Best: "]
    return [f"{SITUATIONS[one.name]}{on}", _counted(one.attacks, to), joined([*none, _rows(one.best, to)]),
            _rows(one.others, to) if one.others else "–", left, _broken(one.best[0], to)]  # fmt: skip


def _counted(attacks: Sequence[str], to: Links) -> Inline:
    """How many attacks count; where they are few, which."""
    return str(len(attacks)) if len(attacks) > MOST_NAMED else listed([to.attack(label) for label in attacks])


def _rows(rows: Sequence[AutoRow], to: Links) -> Inline:
    return listed([joined([to.family(row.name), f" {count(row.survival)}"]) for row in rows])


def _broken(best: AutoRow, to: Links) -> Inline:
    if not best.members:
        return "nothing" if best.survival.low == best.survival.seeds else "nothing for certain"
    label, times = best.members[0]
    work = "" if best.relative is None else f", for {wording.trainings(best.relative)}"
    return (to.attack_page(label), f" in {times} of {best.survival.seeds}{work}")
