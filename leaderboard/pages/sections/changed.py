"""Which rules a board is judged by, and the verdicts that are others than under earlier rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell, verdict_at
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.rules import CHANGES, RULES, EarlierBoard, EarlierVerdict, short
from leaderboard.judge.verdicts import acceptance
from leaderboard.pages.page_model import Inline, Section, lines
from leaderboard.pages.short_names import names

_ALONE = "p_key alone decides"
_SIDES = "both sides count"
_VIEWS = "further views count"
_GATES = "a gate refuses the owner's claim, or may"
_OTHER = "another rule"
_REFUSED = ("unprovable", "undecided", "utility-lost", "embed-failed")  # what a claim that a gate stops leads to


def has_changed(board: Board) -> bool:
    return any(next(_pairs(board, one), None) for one in board.earlier)


def changed(board: Board) -> Section:
    """For each of the earlier rules: how many verdicts are others now, from which word to which, and why."""
    parts = [_since(board, one) for one in board.earlier]
    told: list[list[Inline]] = [[str(rules), said] for rules, those in sorted(CHANGES.items()) for said in those]
    text = f"This board is judged by rules {RULES}."
    return Section("Verdicts under earlier rules", text, ["rules", "what they changed"], told, parts=parts)


def _since(board: Board, earlier: EarlierBoard) -> Section:
    found, compared = defaultdict(list), 0
    for cell, then in _pairs(board, earlier):
        compared += 1
        before, now = (then.verdict, then.committed), (cell.verdict.word, cell.committed.word if cell.committed else "")
        if before != now:
            said = [" / ".join(dict.fromkeys(filter(None, words))) for words in (before, now)]
            found[*said, _why(board, cell, then)].append(cell)
    count = sum(map(len, found.values()))
    rows: list[list[Inline]] = [
        [before, now, why, str(len(cells)), lines(_named(board, cells))]
        for (before, now, why), cells in sorted(found.items(), key=lambda one: -len(one[1]))
    ]
    title = f"{count:,} of {compared:,} verdicts changed since rules {earlier.rules}"
    text = "" if rows else "No verdict is another."
    return Section(title, text, ["before", "now", "why", "cells", "which (seeds)"], rows, "lllrl")


def _pairs(board: Board, earlier: EarlierBoard) -> Iterator[tuple[Cell, EarlierVerdict]]:
    """Each cell that was examined by the same job then, and judged at the same thresholds, with what it was called."""
    then = {(one.scheme, one.attack, one.kind, one.job): one for one in earlier.verdicts}
    for cell in (*board.cells, *board.beside):
        kind = "innocent" if cell.innocent else cell.kind
        if "judged" in cell.jobs and (one := then.get((cell.scheme, cell.attack, kind, short(cell.jobs["judged"])))):
            track = board.part_of(cell).track
            if (one.alpha, one.budget) == (track.alpha, track.budget):
                yield cell, one


def _why(board: Board, cell: Cell, then: EarlierVerdict) -> str:
    """Which rule changed the word, as far as reading the cell without it shows; else the new verdict's own reason."""
    track = board.part_of(cell).track
    strict = verdict_at(board.run, cell, Thresholds(track.alpha, track.budget, track.unit, strict=True))
    if strict.word == then.verdict != cell.verdict.word:
        return _ALONE
    if cell.verdict.word == "no-court":
        return cell.verdict.reason or _OTHER
    claim = acceptance(cell.after, cell.gates).reason if cell.after is not None else None
    if cell.verdict.word in _REFUSED and any((why or "").startswith("gate") for why in (cell.verdict.reason, claim)):
        return _GATES
    if cell.after is not None and cell.after.tries > 1:
        return _VIEWS
    if cell.after is not None and cell.after.two_sided:
        return _SIDES
    return cell.verdict.reason or _OTHER


def _named(board: Board, cells: list[Cell]) -> list[str]:
    """Each square once, with its seeds."""
    schemes, attacks = names(board).schemes, names(board).attacks
    seeds = defaultdict(list)
    for cell in cells:
        name = f"{schemes[cell.scheme]} × {attacks.get(cell.attack, cell.attack)}"
        seeds[f"{'unmarked under ' if cell.innocent else ''}{name}"].append(str(cell.replicate))
    return [f"{name} ({', '.join(dict.fromkeys(numbers))})" for name, numbers in seeds.items()]
