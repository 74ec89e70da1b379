"""Why a square has no outcome, or one that needs words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.pages.page_model import Section
from leaderboard.pages.short_names import names


def has_reasons(board: Board) -> bool:
    return any(_reason(cell) for cell in board.cells)


def _reason(cell: Cell) -> str | None:
    return None if cell.verdict.word in ("forged", "rejected", "undecided") else cell.verdict.reason


def reasons(board: Board) -> Section:
    """Every reason, equal ones on one line.

    The reasons of claims stand in their own table, those of undecided squares in the matrix.
    """
    short, attacks = names(board).schemes, names(board).attacks
    squares: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for cell in board.cells:
        if found := _reason(cell):
            reason = in_general(found, cell.scheme, cell.attack)
            said = cell.verdict.word, reason, "unmarked, after " if cell.innocent else ""
            attack = attacks.get(cell.attack, cell.attack)
            squares.setdefault(said, {}).setdefault(attack, []).append(short[cell.scheme])
    rows = []
    for (word, reason, before), by_attack in squares.items():
        together: dict[str, list[str]] = {}
        for attack, schemes in by_attack.items():
            together.setdefault(_joined(schemes, len(board.schemes)), []).append(attack)
        rows += [[word, reason, before + ", ".join(names), schemes] for schemes, names in together.items()]
    return Section("Reasons", header=["verdict", "reason", "attacks", "schemes"], rows=rows)


def in_general(reason: str, scheme: str, attack: str) -> str:
    """The reason without the names that its line gives, so that equal reasons meet."""
    for label, instead in ((attack, "the attack"), (scheme, "the scheme")):
        reason = re.sub(rf"(^|; ){re.escape(label)}(?= )", rf"\1{instead}", reason)
    return reason


def _joined(schemes: Sequence[str], all_schemes: int) -> str:
    distinct = list(dict.fromkeys(schemes))
    return "every scheme" if len(distinct) == all_schemes > 1 else ", ".join(distinct)
