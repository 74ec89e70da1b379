"""The section "Curves" of `leaderboard.md`."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.analysis.sweeps import SHARE, THIEFS_CHOICE, Curve, Point
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.md_table import escape, table
from leaderboard.stats.utility_test import SCALE


def curve_section(board: Board, swept: Sequence[Curve]) -> list[str]:
    """One table for every swept number: its values as rows, schemes as columns; nothing where nothing is swept."""
    groups: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in swept:
        groups.setdefault((curve.attack, curve.field, curve.unit), []).append(curve)
    if not groups:
        return []
    text = (
        "Settings that differ in one number: the verdict, how much of the mark is left (share of the key items that "
        f"hit, p), and the change of utility in {wording.units(board.shown)}; over several seeds the commonest "
        "verdict, the mean share, the "
        f"median p and the mean change. **{THIEFS_CHOICE.capitalize()}** is the headline point: the strongest setting "
        "whose net loss on images that the thief himself held out is at most "
        f"{escape(wording.budgets(board.shown))}. He sees neither "
        "the evidence nor the test set. Values over shares of the thief's images have no choice."
    )
    parts = ["## Curves", text]
    for (attack, field, _), found in groups.items():
        title = f"{escape(attack)}, over the {escape(field)}" if field.startswith(SHARE) else escape(attack)
        parts += [f"### {title}", _curve_table(field, found)]
    return parts


def _curve_table(field: str, found: Sequence[Curve]) -> str:
    values = sorted({point.value for curve in found for point in curve.points})
    name = escape(SHARE if field.startswith(SHARE) else field)
    rows = [[f"{value:g}", *(_at(curve, value) for curve in found)] for value in values]
    return table([name, *(escape(curve.scheme) for curve in found)], rows)


def _at(curve: Curve, value: float) -> str:
    lines = ["<br>".join(_lines(point, curve.unit)) for point in curve.points if point.value == value]
    chosen = f"<br>**{THIEFS_CHOICE}**" if curve.choice == value else ""
    return f"{lines[0]}{chosen}" if lines else "–"


def _lines(point: Point, unit: str) -> list[str]:
    return [
        escape(point.verdict),
        f"{point.rate:.2f} {wording.p_value(point.log10_p)}",
        wording.changed(-point.utility_change / SCALE[unit], unit),
    ]
