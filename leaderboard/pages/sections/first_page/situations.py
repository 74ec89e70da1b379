"""Which scheme for which situation, in words."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.analysis.auto import AutoRow
from leaderboard.analysis.situations import Situation
from leaderboard.analysis.situations import situations as found_in
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines
from leaderboard.pages.sections.auto import count
from leaderboard.pages.sections.links import Links

SITUATIONS = {
    "answers": "You serve answers only (an API), and a court gets what it needs of the copy",
    "served": "You release weights, the thief serves his copy: a court sees answers",
    "read": "You release weights, and a court can read the suspect's",
    "images": "An image-to-image model",
}
_ABOUT = (
    "Counted are all attacks of this board, members of auto or not, that a thief of the situation can run, and the "
    "schemes whose court gets what it needs. Not shown worse than the best: group 1 of the same test, under these "
    "attacks, best first, each with the cases that survived. "
    "Where all schemes stand in that column, these seeds tell none apart. Broken by: the cheapest thief who breaks "
    "the best most often, and his median work over training one net."
)


def situations(board: Board) -> Section | None:
    """One row for each situation; None where no case has an outcome."""
    to = Links(board)
    several = len(board.parts) > 1
    rows = [_row(one, to, several=several) for one in found_in(board)]
    header = ["situation", "attacks", "not shown worse than the best", "shown worse", "can't be used", "broken by"]
    return Section("Which scheme for which situation", _ABOUT, header, rows, "lr") if rows else None


def _row(one: Situation, to: Links, *, several: bool) -> list[Inline]:
    on = f", {one.task}" if several else ""
    left: Inline = to.families(one.left) if one.left else "–"
    none: list[Inline] = [] if one.best[0].survival.low else ["none was seen to survive:"]
    best = lines([*none, *_rows(one.best, to)])
    return [f"{SITUATIONS[one.name]}{on}", str(one.attacks), best, lines(_rows(one.others, to)), left,
            _broken(one.best[0], to)]  # fmt: skip


def _rows(rows: Sequence[AutoRow], to: Links) -> list[Inline]:
    return [(to.family(row.name), f" {count(row.survival)}") for row in rows]


def _broken(best: AutoRow, to: Links) -> Inline:
    if not best.members:
        return "nothing"
    label, times = best.members[0]
    work = "" if best.relative is None else f", {wording.of_a_host(best.relative)}"
    return (to.attack_page(label), f" ({times}×{work})")
