"""Is the model as useful as before? Tango's score test for paired outcomes at a budget.

T. Tango, Statistics in Medicine 17 (1998) 891, in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

CRITICAL = 1.645  # one-sided 5 %


@dataclass(frozen=True)
class Utility:
    """Net loss `delta` = (losses - gains) / n in [-1, 1], its state at `budget`, and its 90 % interval."""

    losses: int
    gains: int
    n: int
    budget: float
    delta: float
    z: float
    state: Literal["kept", "lost", "unclear"]
    interval: tuple[float, float]


@lru_cache(maxsize=65536)
def paired(before: str, after: str) -> tuple[int, int, int]:
    """Losses (right before, wrong after), gains and n from two strings of '0' and '1' over the same items."""
    if len(before) != len(after):
        raise ValueError(f"paired outcomes need the same items: {len(before)} before, {len(after)} after")
    if not set(before + after) <= {"0", "1"}:
        raise ValueError("outcomes are strings of '0' and '1'")
    pairs = list(zip(before, after, strict=True))
    return pairs.count(("1", "0")), pairs.count(("0", "1")), len(pairs)


def tango_z(losses: int, gains: int, n: int, budget: float) -> float:
    """Score statistic of net loss = `budget`, a fraction in (-1, 1); negative: the loss is less than that.

    0 where the pairs say nothing (n = 0, or no losses, no gains and budget 0).
    """
    if min(losses, gains) < 0 or losses + gains > n:
        raise ValueError(f"{losses} losses and {gains} gains do not fit into {n} pairs")
    if not -1 < budget < 1:
        raise ValueError(f"a budget is a fraction between -1 and 1, not {budget}")
    if n == 0:
        return 0.0
    a = 2 * n
    b = (2 * n - losses + gains) * budget - losses - gains
    c = -gains * budget * (1 - budget)
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    q = -2 * c / (root + b) if b > 0 else (root - b) / (2 * a)  # one root, without cancellation
    variance = n * (2 * q + budget * (1 - budget))
    return (losses - gains - n * budget) / math.sqrt(variance) if variance > 0 else 0.0


@lru_cache(maxsize=65536)
def utility(losses: int, gains: int, n: int, budget: float) -> Utility:
    """Kept (z <= -1.645), lost (z >= 1.645) or unclear at `budget`.

    The interval holds the net losses whose |z| stays below 1.645, within [-1, 1].
    """
    z = tango_z(losses, gains, n, budget)
    state: Literal["kept", "lost", "unclear"]
    state = "kept" if z <= -CRITICAL else "lost" if z >= CRITICAL else "unclear"
    interval = (_budget_at(CRITICAL, losses, gains, n), _budget_at(-CRITICAL, losses, gains, n))
    return Utility(losses, gains, n, budget, (losses - gains) / n if n else 0.0, z, state, interval)


def _budget_at(z: float, losses: int, gains: int, n: int) -> float:
    """The budget where the statistic, which falls in it, passes z; -1 or 1 where it never does."""
    if n == 0:
        return -1.0 if z > 0 else 1.0
    low, high = -1.0, 1.0
    for _ in range(52):
        middle = (low + high) / 2
        if tango_z(losses, gains, n, middle) > z:
            low = middle
        else:
            high = middle
    return low if z > 0 else high  # the outer end, so that a net loss of -1 or 1 lies inside
