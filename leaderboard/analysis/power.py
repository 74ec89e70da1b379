"""What a cell could have decided: the loss of utility and the hit rate at which its verdict would have turned."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from leaderboard.judge.cell import Cell
from leaderboard.stats.utility_test import CRITICAL, SCALE, Utility, tango_z


@dataclass(frozen=True)
class Power:
    """kept, lost: net losses in `unit`, given the gains (or the spread) that were seen: the largest that would have
    been called kept and the smallest that would have been called lost; None where there is none. present: the least
    hit rate (or mean score) that would have been present; None where none is enough.
    """

    kept: float | None
    lost: float | None
    present: float | None
    unit: str = "points"


def power(cell: Cell) -> Power | None:
    """What this cell could have decided; None where its suspect was never seen."""
    if cell.after is None or cell.utility is None:
        return None
    kept, lost = decidable(cell.utility)
    after = cell.after
    least = None if after.theta is None else after.theta / (after.n if after.kind == "count" else 1)
    return Power(kept, lost, least, cell.unit)


def decidable(found: Utility) -> tuple[float | None, float | None]:
    """The largest net loss still kept and the smallest lost, in its unit, with the same gains, n and budget.

    For images: with the same spread of the losses.
    """
    if found.unit != "points":
        low, high = found.interval
        half = (high - low) / 2
        return (None, None) if half == math.inf else (found.budget - half, found.budget + half)
    most = found.n - found.gains

    def z(losses: int) -> float:
        return tango_z(losses, found.gains, found.n, found.budget)

    kept = bisect_right(range(most + 1), -CRITICAL, key=z) - 1
    lost = bisect_left(range(most + 1), CRITICAL, key=z)

    def points(losses: int) -> float:
        return SCALE[found.unit] * (losses - found.gains) / found.n

    return (None if kept < 0 else points(kept)), (None if lost > most else points(lost))
