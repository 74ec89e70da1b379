"""Curves of utility against evidence, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leaderboard.analysis.sweeps import DATA, THIEFS_CHOICE, Curve, curves
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines, strong
from leaderboard.pages.short_names import names
from leaderboard.stats.utility_test import SCALE


def curve_tables(board: Board) -> Section | None:
    """One table for every swept number: its values as rows, schemes as columns; None where nothing is swept."""
    groups: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in curves(board):
        groups.setdefault((curve.attack, curve.field, curve.unit), []).append(curve)
    if not groups:
        return None
    text = (
        "Settings that differ in one number: the verdict, how much of the mark is left (share of the key items that "
        f"hit, p), and the change of utility in {wording.units(board.shown)}; over several seeds the commonest "
        "verdict, the mean share, the median p and the mean change. ",
        strong(THIEFS_CHOICE.capitalize()),
        " is the headline point: the strongest setting whose net loss on images that the thief himself held out is at "
        f"most {wording.budgets(board.shown)}. He sees neither the evidence nor the test set. Values over the "
        "thief's images have no choice.",
    )
    short = names(board).schemes
    parts = [
        _curve_table(f"{attack}, over the {field}" if field.startswith(DATA) else attack, field, found, short)
        for (attack, field, _), found in groups.items()
    ]
    return Section("Curves", text, parts=parts)


def _curve_table(title: str, field: str, found: Sequence[Curve], short: Mapping[str, str]) -> Section:
    values = sorted({point.value for curve in found for point in curve.points})
    name = next((one for one in DATA if field.startswith(one)), field)
    rows = [[f"{value:g}", *(_at(curve, value) for curve in found)] for value in values]
    return Section(title, header=[name, *(short[curve.scheme] for curve in found)], rows=rows)


def _at(curve: Curve, value: float) -> Inline:
    point = next((point for point in curve.points if point.value == value), None)
    if point is None:
        return "–"
    said: list[Inline] = [
        point.verdict,
        f"{point.rate:.2f} {wording.graded(point.log10_p, point.grade)}",
        wording.changed(-point.utility_change / SCALE[curve.unit], curve.unit),
    ]
    return lines([*said, strong(THIEFS_CHOICE)] if curve.choice == value else said)
