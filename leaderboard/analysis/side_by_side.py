"""A run beside another of the same profile, such as a published board: which squares both have, and what differs.

Labels of older versions lack the parameters that came since. Settings are the same where all parameters are, those that
one side lacks at today's defaults.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.errors import BenchError
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.verdicts import Tally

Defaults = Mapping[str, Mapping[str, Any]]  # of every plug-in's parameters, by its name
_SAID_ELSEWHERE = ("name", "about", "timeout", "alpha", "budget", "strict")  # of a profile: at these it is not run


@dataclass(frozen=True)
class Pair:
    """One scheme under one attack in both runs, by the labels of the first. lacking: parameters that one side lacks."""

    scheme: str
    attack: str
    own: Sequence[Cell]
    other: Sequence[Cell]
    lacking: Sequence[str]

    @property
    def differs(self) -> bool:
        """Whether the marks fared otherwise: the most frequent of held, useless, broken, undecided or none of these."""
        return _fate(self.own) != _fate(self.other)


@dataclass(frozen=True)
class SideBySide:
    """Two boards. alone: squares of the first and of the second that the other lacks. settings: name, and both values
    of what the profiles say otherwise.
    """

    own: Board
    other: Board
    pairs: Sequence[Pair]
    alone: tuple[int, int]
    settings: Sequence[tuple[str, str, str]]


def side_by_side(own: Board, other: Board, defaults: Defaults) -> SideBySide:
    """The squares of both. Raises BenchError where the runs are of other profiles, of other tasks, or share no square.

    defaults: the values at which a parameter stands that one of the runs does not name.
    """
    profiles = [board.run.profile["name"] for board in (own, other)]
    if profiles[0] != profiles[1]:
        both = " and ".join(profiles)
        raise BenchError(f"the runs are of two profiles, {both}: put runs of the same one side by side")
    tasks = [{track.task for track in board.shown} for board in (own, other)]
    if tasks[0].isdisjoint(tasks[1]):
        said = " and of ".join(", ".join(sorted(some)) for some in tasks)
        raise BenchError(f"the runs are of different tasks, of {said}: put runs of the same task beside one another")
    schemes, attacks = (
        _counterparts([row.described for row in getattr(own, rows)], [row.described for row in getattr(other, rows)],
                      defaults) for rows in ("schemes", "attacks")
    )  # fmt: skip
    pairs = [
        Pair(scheme, attack, cells, theirs, sorted({*schemes[scheme][1], *attacks[attack][1]}))
        for scheme in schemes
        for attack in attacks
        if (cells := own.at(scheme, attack)) and (theirs := other.at(schemes[scheme][0], attacks[attack][0]))
        and cells[0].task == theirs[0].task
    ]  # fmt: skip
    if not pairs:
        raise BenchError("the runs have no scheme under an attack in common: run settings that the other has")
    squares = [len({(cell.scheme, cell.attack) for cell in board.owners()}) for board in (own, other)]
    return SideBySide(own, other, pairs, (squares[0] - len(pairs), squares[1] - len(pairs)), _settings(own, other))


def _counterparts(
    own: Iterable[Mapping[str, Any]], other: Iterable[Mapping[str, Any]], defaults: Defaults
) -> dict[str, tuple[str, set[str]]]:
    """By label of the first: the label of the same setting in the second, and the parameters that one of them lacks."""
    theirs = {_setting(one, defaults): one for one in other}
    found = {}
    for one in own:
        if (same := theirs.get(_setting(one, defaults))) is not None:
            lacking = set[str]()
            for mine, yours in zip(_stages(one), _stages(same), strict=True):
                lacking |= mine["parameters"].keys() ^ yours["parameters"].keys()
            found[str(one["label"])] = str(same["label"]), lacking
    return found


def _stages(described: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The stages of an attack; a scheme is its own."""
    stages: Sequence[Mapping[str, Any]] = described.get("stages") or [described]
    return stages


def _setting(described: Mapping[str, Any], defaults: Defaults) -> str:
    stages = [(one["name"], one["parameters"]) for one in _stages(described)]
    return json.dumps([[name, {**defaults.get(name, {}), **own}] for name, own in stages], sort_keys=True)


def _settings(own: Board, other: Board) -> list[tuple[str, str, str]]:
    """What of the two profiles differs, nested names joined by dots; a dash for what one of them does not say."""
    first, second = (dict(_flat(board.run.profile)) for board in (own, other))
    names = [name for name in {**first, **second} if name.split(".")[0] not in _SAID_ELSEWHERE]
    return [
        (name, first.get(name, "–"), second.get(name, "–")) for name in names if first.get(name) != second.get(name)
    ]


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif value is not None:
            yield f"{before}{name}", str(value)


def _fate(cells: Sequence[Cell]) -> str:
    """What most often became of the marks."""
    tally = Tally.of(cell.verdict for cell in cells)
    counts = {name: getattr(tally, name) for name in ("broken", "undecided", "useless", "held", "left_out")}
    return max(counts, key=counts.__getitem__)
