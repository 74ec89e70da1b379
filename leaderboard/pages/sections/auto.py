"""Survival under the ensemble `auto`: the number that orders schemes, what it cost the thief, and what members add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leaderboard.analysis.auto import AutoRow, Gain, by_family, by_setting, gains
from leaderboard.analysis.meetings import Survival, ensemble
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, filled, lines, per_task, strong
from leaderboard.pages.short_names import names

_TIERS = ("1 %", "5 %", "25 %", "100 %")  # of training one host, as in the boards of attacks
_HEADER = ["scheme", "settings", "survived", *(f"… up to {share}" for share in _TIERS), "member fixed", "useless",
           "left out", "what broke it", "queries", "labels", "of training a host"]  # fmt: skip
ADDS = ("member", "broke", "alone", "added", "schemes that it broke", "of training a host")
_ABOUT = (
    "In how many cases, a scheme's settings times seeds, the mark survived every member of the ensemble: where it "
    "held, and where the thief lost the utility (useless). One member that breaks it is enough, and the thief is "
    "granted the one that does: he can't see the evidence, so this is the least that survives. Undecided is counted as "
    "broken and as survived; in brackets the 95 % interval (Wilson), which takes the settings of a seed for "
    "independent. Up to: by members that cost no more than this share of the work of training one host. Member fixed: "
    "one member for the scheme, chosen by the other seeds. What broke it: the cheapest member that did in each case, "
    "with medians of its queries, its labels and its work. Left out: the mark wasn't there before, or a member has no "
    "outcome. Best first: by survival, and among equals by survival under cheaper and cheaper thieves; where intervals "
    "overlap the order may be chance."
)


def headline(board: Board) -> tuple[str, str] | None:
    """The number of every scheme of a board of one task, best first; None where the run has no ensemble."""
    rows = by_family(board)
    if (auto := ensemble(board)) is None or not rows:
        return None
    said = ", ".join(f"{row.name} {count(row.survival)}" for row in rows)
    return f"Survival under auto (version {auto.version}) on {board.track.task}", f"{said}."


def survival(board: Board) -> Section | None:
    """Schemes by the number that ranks; None where the run has no ensemble."""
    return _survival(board) if ensemble(board) else None


@per_task
def _survival(board: Board) -> Section:
    auto = ensemble(board)
    rows = [_row(board, row, strong(count(row.survival))) for row in by_family(board)]
    return Section(f"Survival under auto (version {auto.version if auto else 0})", _ABOUT, _HEADER, rows, _align())


@per_task
def settings(board: Board) -> Section:
    """The same, setting by setting."""
    short = names(board).schemes
    rows = [_row(board, replace(row, name=short[row.name]), count(row.survival)) for row in by_setting(board)]
    about = "The same for each setting, whose cases are its seeds: these are independent, so the intervals hold."
    return filled(Section("Setting by setting", about, _HEADER, rows, _align()))


@per_task
def members(board: Board) -> Section:
    """What each member adds to the ensemble."""
    text = (
        "Broke: marks that the member broke, of the cases that it met. Alone: marks that no other member broke. Added: "
        "marks still whole when members are taken one by one, the one that adds most first, the cheaper among equals. "
        "A member that adds nothing here may be what breaks the scheme that comes next."
    )
    return Section("What each member adds", text, ADDS, [gain(board, one) for one in gains(board)], "lrrrlr")


def count(found: Survival) -> str:
    """`3/5 [0.23, 0.88]`, or both ways of counting, `3–4/5 [0.23, 0.96]`; a dash where no case has an outcome."""
    if not found.seeds:
        return "–"
    most = f"–{found.high}" if found.high > found.low else ""
    low, high = found.interval
    return f"{found.low}{most}/{found.seeds} [{low:.2f}, {high:.2f}]"


def _short(found: Survival | None) -> str:
    return "–" if found is None else count(found).split(" ")[0]


def _row(board: Board, row: AutoRow, number: Inline) -> Sequence[Inline]:
    short = names(board).attacks
    broke = lines(f"{short[member]} {times}×" for member, times in row.members)
    return [row.name, str(row.settings), number, *map(_short, row.up_to[: len(_TIERS)]), _short(row.fixed),
            str(row.useless or "–"), str(row.left_out or "–"), broke, _number(row.queries), _number(row.labelled),
            wording.of_a_host(row.relative)]  # fmt: skip


def gain(board: Board, one: Gain) -> list[str]:
    """What a member adds, as `ADDS` names the columns."""
    broke = f"{one.broke}/{one.met}"
    counts = broke, str(one.alone or "–"), str(one.added or "–")
    families = ", ".join(one.families) or "–"
    return [names(board).attacks[one.member], *counts, families, wording.of_a_host(one.relative)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _align() -> str:
    return "lr" + "r" * (1 + len(_TIERS) + 3) + "lrrr"
