"""The squares of a board, for `leaderboard.html`: which cells stand in each, how it looks, and what its lines say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.analysis.auto import picks
from leaderboard.analysis.sweeps import THIEFS_CHOICE, choices
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.verdicts import USELESS, Verdict
from leaderboard.pages import wording
from leaderboard.pages.page_model import one_line
from leaderboard.pages.sections.matrix import scratch
from leaderboard.pages.sections.over_seeds import leading_word
from leaderboard.pages.short_names import names, slugs
from leaderboard.pages.writers.html_data import pack_facts, steps

INNOCENT, AUTO = "innocent models", "auto"  # tables beside those of the kinds of attack
# what an outcome means for the owner: a tint and a sign beside the word, never instead of it
LOOKS = ("broken", "open", "dear", "held", "none")  # the worst first
_SIGNS = ("✕", "?", "◐", "●", "–")
_LOOK_OF = {
    "survived": "held", "rejected": "held", "not-marked": "held", "utility-lost": "dear", "undecided": "open",
    "inconsistent": "open", "unreadable": "open",
    "removed": "broken", "unprovable": "broken", "forged": "broken", "false-positive": "broken",
}  # fmt: skip


@dataclass(frozen=True)
class PageSquare:
    """One scheme under one attack. kind: of attack, INNOCENT or AUTO. cells: by seed; beside: of other thieves."""

    scheme: str
    attack: str
    kind: str
    task: str
    cells: list[Cell] = field(default_factory=list)
    beside: list[Cell] = field(default_factory=list)

    @property
    def all(self) -> list[Cell]:
        return [*self.cells, *self.beside]


def squares(board: Board) -> list[PageSquare]:
    """Every square of the board, of pairs that can't be run, too; the ensemble's last, of cells that others hold."""
    found: dict[tuple[str, str, str], PageSquare] = {}

    def at(cell: Cell, attack: str, kind: str) -> PageSquare:
        return found.setdefault((cell.scheme, attack, kind), PageSquare(cell.scheme, attack, kind, cell.task))

    for cell in board.cells:
        at(cell, cell.attack, INNOCENT if cell.innocent else cell.kind).cells.append(cell)
    for cell in board.beside:
        at(cell, cell.attack, INNOCENT if cell.innocent else cell.kind).beside.append(cell)
    for _, cell in picks(board):
        at(cell, AUTO, AUTO).cells.append(cell)
    return list(found.values())


def cells_of(those: Sequence[PageSquare]) -> list[Cell]:
    """Every cell once, in the order in which the page numbers them."""
    return [cell for one in those if one.kind != AUTO for cell in one.all]


def attack_labels(board: Board, those: Sequence[PageSquare]) -> list[str]:
    """The attacks of the run, then what else stands in squares: `none` for innocents as they are, the ensemble."""
    return list(dict.fromkeys([*(row.label for row in board.attacks), *(one.attack for one in those)]))


def packed_squares(board: Board, those: Sequence[PageSquare]) -> dict[str, Any]:
    """What the page's tables are made of.

    Of each square: the places of its scheme, attack and table; its lines, those marked "dialog" for want of room there
    alone, and its words; how it looks and which sign stands in it; the mean log10 p of what is left of the mark; its
    cells, as many as `count` says, by their numbers.
    """
    schemes, attacks, tables = [row.label for row in board.schemes], attack_labels(board, those), _tables(board, those)
    number = {id(cell): at for at, cell in enumerate(cells_of(those))}
    chosen = choices(board)
    lines, words = [], []
    for one in those:
        theirs = [THIEFS_CHOICE] if one.kind != INNOCENT and (one.scheme, one.attack) in chosen else []
        lines.append([*(one_line(line) for line in wording.square(one.cells)), *theirs])
        words.append(" ".join(dict.fromkeys(cell.verdict.word for cell in one.cells)))
    return {
        **_names(board, attacks),
        "tables": [_table(board, *one) for one in tables],
        "looks": LOOKS,
        "signs": _SIGNS,
        "scheme": steps(schemes.index(one.scheme) for one in those),
        "attack": steps(attacks.index(one.attack) for one in those),
        "table": steps(tables.index((one.task, one.kind)) for one in those),
        "lines": pack_facts([[("dialog" * line.startswith("withstood "), line) for line in said] for said in lines]),
        "words": pack_facts([[("", said)] for said in words]),
        "look": [LOOKS.index(_worst(cell.verdict for cell in one.cells)) for one in those],
        "sign": [LOOKS.index(_sign(one, said[0])) for one, said in zip(those, lines, strict=True)],
        "depth": [_depth(one) for one in those],
        "count": [len(one.all) for one in those],
        "cells": steps(number[id(cell)] for one in those for cell in one.all),
    }


def _names(board: Board, attacks: Sequence[str]) -> dict[str, Any]:
    """Labels, short names, and what links call them by: one setting (slug), or all of a family or an attack (page)."""
    named = names(board)
    short = {label: named.attacks.get(label, label) for label in attacks}
    scheme_slugs, attack_slugs = slugs(named.schemes.values()), slugs(short.values())
    return {
        "schemes": [
            {
                "label": one_line(row.label),
                "name": one_line(named.schemes[row.label]),
                "slug": scheme_slugs[named.schemes[row.label]],
                "page": named.family_pages[row.described["name"]],
                "family": one_line(row.described["name"]),
            }
            for row in board.schemes
        ],
        "attacks": [
            {
                "label": one_line(label),
                "name": one_line(name),
                "slug": attack_slugs[name],
                "page": named.attack_pages.get(named.plugins.get(label, ""), label),
            }
            for label, name in short.items()
        ],
    }


def _tables(board: Board, those: Sequence[PageSquare]) -> list[tuple[str, str]]:
    """The (task, kind) of every table, in the order of the page: task by task, the ensemble first, innocents last."""
    kinds, tasks = [AUTO, *board.kinds, INNOCENT], [track.task for track in board.tracks]
    found = dict.fromkeys((one.task, one.kind) for one in those)
    return sorted(found, key=lambda one: (tasks.index(one[0]), kinds.index(one[1])))


def _table(board: Board, task: str, kind: str) -> dict[str, Any]:
    """What stands above a table, and what the curves of its squares are drawn at."""
    part = next(one for one in (*board.parts, *board.split) if one.track.task == task)
    about = {AUTO: "The best of an ensemble of thieves, seed by seed."}.get(kind, "")
    if kind in ORACLE_KINDS:
        about = wording.ABOUT_ORACLES
    if kind not in (AUTO, INNOCENT, *CLAIM_KINDS):
        about = " ".join(filter(None, (about, scratch(part))))
    track = part.track
    return {
        "kind": kind,
        "task": one_line(task),
        "about": one_line(about),
        "alpha": track.alpha,
        "budget": track.budget,
        "unit": track.unit,
    }


def _look(verdict: Verdict) -> str:
    """A mark that survived in a model without use looks as one that was lost with the utility."""
    return "dear" if USELESS in verdict.flags else _LOOK_OF.get(verdict.word, "none")


def _worst(verdicts: Iterable[Verdict]) -> str:
    return min(map(_look, verdicts), key=LOOKS.index, default="none")


def _sign(square: PageSquare, line: str) -> str:
    """Of the word that it stands beside, the first of a square; the tint is of the worst."""
    return _worst(cell.verdict for cell in square.cells if cell.verdict.word == leading_word(line))


def _depth(square: PageSquare) -> float:
    strengths = [max(cell.after.log10_p, -9999.0) for cell in square.cells if cell.after is not None]
    return round(sum(strengths) / len(strengths), 1) if strengths else 0.0
