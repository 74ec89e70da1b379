"""What a square of `leaderboard.html` opens: the facts of its cells, its curves, and the threat models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from leaderboard.analysis.sweeps import THIEFS_CHOICE, Curve, curves
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.cell_facts import MEANING, SECTIONS, cell_facts
from leaderboard.pages.page_model import one_line
from leaderboard.pages.reproduce_command import reproduce
from leaderboard.pages.sections.threat_model import Facts, attack_facts, images, scheme_facts
from leaderboard.pages.writers.html_data import pack_facts, steps
from leaderboard.pages.writers.html_squares import AUTO, INNOCENT, PageSquare, attack_labels, cells_of


def packed_cells(board: Board, those: Sequence[PageSquare]) -> dict[str, Any]:
    """Every cell of the board by its number, in `cells_of`, and what else stands in the dialogs.

    Of each cell: the place of its attack and its seed, its facts section by section, the command that reproduces it,
    and the thief where he is another than the matrix's.
    """
    cells, attacks = cells_of(those), attack_labels(board, those)
    facts = [dict(cell_facts(board, cell)) for cell in cells]
    beside = {id(cell) for cell in board.beside}
    found = list(_found(board, those))
    return {
        "attack": steps(attacks.index(cell.attack) for cell in cells),
        "seed": steps(cell.replicate for cell in cells),
        "thief": pack_facts([[("", images(cell.thief))] if id(cell) in beside else [] for cell in cells]),
        "sections": [{"title": title, **pack_facts([one.get(title, []) for one in facts])} for title in SECTIONS],
        "command": pack_facts([[("", reproduce(board, cell))] for cell in cells]),
        "curves": [
            {
                "title": one_line(curve.attack),
                "field": one_line(curve.field),
                "squares": own,
                "count": len(curve.points),
            }
            for curve, own in found
        ],
        "points": pack_facts([point for curve, _ in found for point in _points(curve)]),
        "schemes": [_given(scheme_facts(row.described)) for row in board.schemes],
        "attacks": [_given(attack_facts(board, row.described)) for row in board.attacks],
        "meaning": MEANING,
    }


def _found(board: Board, those: Sequence[PageSquare]) -> Iterator[tuple[Curve, list[int]]]:
    """Every curve, with the numbers of the squares that are its points."""
    by_scheme: dict[str, list[tuple[int, PageSquare]]] = {}
    for number, square in enumerate(those):
        if square.kind not in (INNOCENT, AUTO):
            by_scheme.setdefault(square.scheme, []).append((number, square))
    for curve in curves(board):
        # the curve's label has `*` where the number is swept
        point = re.compile(re.escape(curve.attack).replace(r"\*", r"[^,()+]*"))
        yield curve, [number for number, one in by_scheme.get(curve.scheme, ()) if point.fullmatch(one.attack)]


def _points(curve: Curve) -> Iterator[Facts]:
    digits = wording.DIGITS[curve.unit]
    for point in curve.points:
        yield [
            ("value", f"{point.value:g}" + (f" ({THIEFS_CHOICE})" if point.value == curve.choice else "")),
            (f"utility, {curve.unit}", f"{point.utility_change:+.{digits}f}"),
            ("evidence", wording.graded(point.log10_p, point.grade)),
            ("rate", f"{point.rate:.3g}"),
            ("verdict", one_line(point.verdict)),
        ]


def _given(facts: Facts) -> Facts:
    return [(name, text) for name, value in facts if (text := one_line(value))]
