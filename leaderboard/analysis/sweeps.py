"""Curves of utility against remaining evidence: the settings of one attack that differ in one number only.

Two kinds of number are swept: a parameter of the attack (its strength), and how many images the thief has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from benchmark.plugins.parameters import split_text
from benchmark.store.run_description import DescribedThief
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.run import Run
from leaderboard.judge.tracks import Track
from leaderboard.stats.null_tests import Grade, weakest
from leaderboard.stats.utility_test import SCALE, compare

THIEFS_CHOICE = "thief's choice"
DATA = ("thief share", "labelled images", "unlabelled images")  # fields of curves over the thief's data; more follows


@dataclass(frozen=True)
class Point:
    """One setting, over its seeds. utility_change: mean, in the track's unit, a loss is negative. log10_p: median.

    grade: of the least known of these p-values. rate: mean share of the key items that still hit (or mean score).
    verdict: the commonest word.
    """

    value: float
    utility_change: float
    log10_p: float
    rate: float
    verdict: str
    grade: Grade = "exact"


@dataclass(frozen=True)
class Curve:
    """Points in the order of their values. attack: the setting's label with `*` in place of the swept number.

    choice: the value that the thief would choose (`thief_choice`); None where he has nothing to choose by. unit,
    budget: of the track.
    """

    scheme: str
    attack: str
    field: str
    points: Sequence[Point]
    choice: float | None = None
    unit: str = "points"
    budget: float | None = None


@dataclass(frozen=True)
class _Swept:
    """Settings that differ in one number only: (value, label) in ascending order."""

    attack: str
    field: str
    settings: Sequence[tuple[float, str]]


def curves(board: Board) -> list[Curve]:
    """Every curve of the run, track by track, over the strength of attacks, then over the thief's data.

    A curve has at least two points; claims and controls have none, since they leave the model as it is or never had
    it. Points come from cells with evidence in the attacked model and a mark that was there before the attack.
    """
    return board.run.once(("curves", *board.tracks), lambda: _curves(board))


def _curves(board: Board) -> list[Curve]:
    sweeps = list(_sweeps(board.run.described["attacks"]))
    found = [
        curve
        for part in board.parts
        for curve in (
            *(_over_strength(part, scheme.label, swept) for scheme in part.schemes for swept in sweeps),
            *_over_data(part),
        )
    ]
    return [curve for curve in found if len(curve.points) > 1]


def thief_choice(run: Run, settings: Sequence[tuple[float, Sequence[Cell]]], track: Track) -> float | None:
    """The value a thief would choose: the strongest whose net loss on his own held-out images is within the budget.

    settings: (value, cells of all seeds). He can't see the evidence, and tests nothing: what he loses on his held-out
    images (the share he loses, or the mean PSNR), over all seeds, is what he has. Which end is the stronger one he sees
    from them, too: the end with the larger loss (the larger value where both lose alike). None where a setting has no
    held-out outcomes, or all lose more.
    """
    ordered = sorted((v, loss) for v, cells in settings if (loss := _held_out_loss(run, cells, track)) is not None)
    if not ordered or len(ordered) < len(settings):
        return None
    if ordered[0][1] > ordered[-1][1]:
        ordered.reverse()
    affordable = [value for value, loss in ordered if loss <= track.budget / SCALE[track.unit]]
    return affordable[-1] if affordable else None


def choices(board: Board) -> set[tuple[str, str]]:
    """The squares (scheme, attack label) that are the thief's choice of their curve."""
    sweeps = {(swept.attack, swept.field): swept.settings for swept in _sweeps(board.run.described["attacks"])}
    return {
        (curve.scheme, label)
        for curve in curves(board)
        for value, label in sweeps.get((curve.attack, curve.field), ())
        if value == curve.choice
    }


def _sweeps(attacks: Sequence[Mapping[str, Any]]) -> Iterator[_Swept]:
    groups: dict[tuple[str, int, str], list[tuple[float, str]]] = {}
    for attack in attacks:
        if attack["claim"] or attack["kind"] == "control":
            continue
        for number, stage in enumerate(attack["stages"]):
            for field, value in stage["parameters"].items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    rest = _without(attack["stages"], number, field)
                    groups.setdefault((rest, number, field), []).append((float(value), attack["label"]))
    for (_, number, field), settings in groups.items():
        if len(settings) > 1:
            names = (_starred(label, number, field) for _, label in settings)
            # a label leaves a default out: some other one names the field
            starred = next((name for name in names if name), f"{settings[0][1]}, {field}=*")
            yield _Swept(starred, field, sorted(settings))


def _without(stages: Sequence[Mapping[str, Any]], number: int, field: str) -> str:
    """The stages as text, without the value of one field."""
    rest = [
        (stage["name"], sorted((k, repr(v)) for k, v in stage["parameters"].items() if (at, k) != (number, field)))
        for at, stage in enumerate(stages)
    ]
    return repr(rest)


def _starred(label: str, number: int, field: str) -> str | None:
    """`label` with `field=*` in one stage; None where the stage doesn't name the field."""
    stages = split_text(label, "+")
    changed, count = re.subn(rf"(?<=[(,]){re.escape(field)}=[^,)]*", f"{field}=*", stages[number], count=1)
    return "+".join([*stages[:number], changed, *stages[number + 1 :]]) if count else None


def _over_strength(board: Board, scheme: str, swept: _Swept) -> Curve:
    squares = {value: board.at(scheme, label) for value, label in swept.settings}
    points = [point for value, cells in squares.items() if (point := _point(value, cells))]
    choice = thief_choice(board.run, [(point.value, squares[point.value]) for point in points], board.track)
    return Curve(scheme, swept.attack, swept.field, points, choice, board.track.unit, board.track.budget)


def _over_data(board: Board) -> Iterator[Curve]:
    """Curves over the thief's images, for each pool and for what stays the same, where there are several thieves."""
    squares: dict[tuple[str, str, str], dict[float, list[Cell]]] = {}
    for cell in (*board.cells, *board.beside):
        if not cell.innocent and not cell.claim and cell.kind != "control":
            for field, value in _axes(cell.thief):
                squares.setdefault((cell.scheme, cell.attack, field), {}).setdefault(value, []).append(cell)
    for (scheme, attack, field), by_value in squares.items():
        points = [point for value in sorted(by_value) if (point := _point(value, by_value[value]))]
        if len({(p.utility_change, p.log10_p) for p in points}) > 1:  # what never touches the data draws no curve
            track = board.track
            yield Curve(scheme, attack, field, points, None, track.unit, track.budget)


def _axes(thief: DescribedThief) -> list[tuple[str, float]]:
    """The curves that a thief is a point of: their fields, and his value on each."""
    if thief.labelled is None or thief.unlabelled is None:
        return [(f"{DATA[0]} ({thief.pool} pool)", thief.share or 0.0)]
    own, more = thief.labelled, thief.unlabelled
    return [
        (f"{DATA[1]} ({thief.pool} pool, {more} unlabelled)", own),
        (f"{DATA[1]} ({thief.pool} pool, {own + more} images in all)", own),
        (f"{DATA[2]} ({thief.pool} pool, {own} labelled)", more),
    ]


def _point(value: float, cells: Sequence[Cell]) -> Point | None:
    seen = [(cell, cell.after, cell.utility) for cell in cells if cell.verdict.word != "embed-failed"]
    whole = [(cell.verdict.word, after, use) for cell, after, use in seen if after is not None and use is not None]
    if not whole:
        return None
    return Point(
        value=value,
        utility_change=mean(use.change for _, _, use in whole),
        log10_p=median(after.log10_p for _, after, _ in whole),
        grade=weakest(after.grade for _, after, _ in whole),
        rate=mean(after.rate for _, after, _ in whole),
        verdict=Counter(word for word, _, _ in whole).most_common(1)[0][0],
    )


def _held_out_loss(run: Run, cells: Sequence[Cell], track: Track) -> float | None:
    """Mean net loss on the thief's held-out images, over all seeds, as in `Utility.delta`."""
    outcomes = [(run.result(cell.jobs.get("attacked")) or {}).get("thief_utility") for cell in cells]
    found = [compare(seen["before"], seen["after"], track.budget, track.unit) for seen in outcomes if seen is not None]
    n = sum(one.n for one in found)
    if track.unit == "points":
        return sum(one.losses - one.gains for one in found) / n if n else None
    return sum(one.delta * one.n for one in found) / n if n else None
