"""Which scheme for an owner's situation, answered from published records alone: `bench advise`.

Of each task at most three boards speak. A thief can leave labels and images out: what one with fewer labels broke, one
with more breaks, too, if he has as many images in all; what survived the one with more survives the other, if he has no
more images in all. Nothing else follows, and nothing is extrapolated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from benchmark.errors import BenchError
from benchmark.store.run_description import DescribedThief, Track
from leaderboard.analysis.protection import AdvisedSituation, advised
from leaderboard.analysis.situations import Released
from leaderboard.judge.board import Board, judge
from leaderboard.judge.cell import in_images, matrix_thief
from leaderboard.judge.published import known_boards, published_folder
from leaderboard.judge.run import described_run, read_run

ThiefStrength = Literal["equal", "weaker", "stronger"]  # of a record's thief beside the one that was asked for


@dataclass(frozen=True)
class PublishedAdvice:
    """What a published board says of one task. name: of the board; track: with the thresholds that it was read at.

    labelled: images with labels that its thief has; standing: how he compares with the thief that was asked for.
    """

    name: str
    board: Board = field(repr=False)
    track: Track
    thief: DescribedThief
    labelled: int
    standing: ThiefStrength
    situations: Sequence[AdvisedSituation]


@dataclass(frozen=True)
class Advice:
    """The answer. budget: in points, None for that of each board. silent: tasks of which no record says anything.

    known: every task of a published board.
    """

    release: Released
    labelled: int
    budget: float | None
    records: Sequence[PublishedAdvice]
    silent: Sequence[str]
    known: Sequence[str]


def advice(release: Released, labelled: int, budget: float | None = None, task: str | None = None) -> Advice:
    """What the published boards say. labelled: images of the thief's own that have labels. budget: in points.

    task: None for every task of a board. Raises BenchError where no board is here, or a number is out of range.
    """
    if labelled < 0:
        raise BenchError(f"a thief can't have {labelled} labelled images: give 0 or more")
    by_task = _by_task()
    wanted = [task] if task is not None else list(by_task)
    boards: dict[str, Board] = {}
    records: list[PublishedAdvice] = []
    for one in wanted:
        for kept in _speakers(by_task.get(one, []), labelled):
            if kept.name not in boards:
                boards[kept.name] = judge(read_run(published_folder(kept.name)), budget=budget)
            board = boards[kept.name]
            (part,) = [part for part in board.parts if part.track.task == one]
            found = advised(part, release)
            if found:
                standing = kept.standing(labelled)
                records.append(
                    PublishedAdvice(kept.name, board, part.track, kept.thief, kept.labelled, standing, found)
                )
    spoken = {one.track.task for one in records}
    return Advice(release, labelled, budget, records, [one for one in wanted if one not in spoken], list(by_task))


@dataclass(frozen=True)
class _Kept:
    """A published board on one of its tasks: the numbers of its code's version, its thief, and its planned cells."""

    name: str
    version: tuple[int, ...]
    thief: DescribedThief
    labelled: int
    cells: int

    def standing(self, labelled: int) -> ThiefStrength:
        return "equal" if self.labelled == labelled else "weaker" if self.labelled < labelled else "stronger"


@cache
def _by_task() -> dict[str, list[_Kept]]:
    """The boards of each task. Those that reproduce a work or measure error rates compare no schemes."""
    found: dict[str, list[_Kept]] = {}
    for name in known_boards():
        described = described_run(published_folder(name))
        if described.get("calibration") is not None or described.get("reproduction") is not None:
            continue
        version = tuple(map(int, re.findall(r"\d+", described["version"])))
        for track in (Track(**one) for one in described["data"]):
            own = {one["label"] for one in described["schemes"] if one["task"] == track.task}
            thief = in_images(matrix_thief(described["profile"], track.task), track)
            if own and thief is not None and thief.labelled is not None:
                cells = sum(cell["scheme"] in own for cell in described["cells"])
                found.setdefault(track.task, []).append(_Kept(name, version, thief, thief.labelled, cells))
    return found


def _speakers(boards: Sequence[_Kept], labelled: int) -> list[_Kept]:
    """The board of a thief with as many labels, of one with fewer, and of one with more: of each the best.

    The best is of the newest code, of these of the nearest thief, of these the largest. A thief with as many labels on
    a board of the newest code needs no other beside him.
    """
    sides: dict[ThiefStrength, _Kept] = {}
    for standing in ("equal", "weaker", "stronger"):
        those = [one for one in boards if one.standing(labelled) == standing]
        if those:
            sides[standing] = max(those, key=lambda one: (one.version, -abs(one.labelled - labelled), one.cells))
    newest = max((one.version for one in boards), default=())
    if "equal" in sides and sides["equal"].version == newest:
        return [sides["equal"]]
    return list(sides.values())
