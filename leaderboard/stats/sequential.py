"""After how many of a key's items an owner could have stopped asking: a sequential test beside the verdict.

Under the null each item is a hit with probability p, whatever the others are. The likelihood of the hits so far,
averaged over all hit rates q that the mark may have left, over their likelihood at p, is a martingale that begins at 1.
So it ever reaches 1 / alpha with probability alpha at most (Ville 1939, Étude critique de la notion de collectif), and
whoever stops there, at a moment that he chose while he looked, errs no more often. A mixture, here with a uniform law
of q (Robbins, Ann. Math. Stat. 41 (1970) 1397), needs no guess of q, as the sequential test of Wald does (Ann. Math.
Stat. 16 (1945) 117).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from leaderboard.stats.tails import LN10

LONGEST_KEY = 10_000  # items, beyond which nobody asks on


@dataclass(frozen=True)
class StoppedAsking:
    """What the test says of a key's items in their order.

    items: how many there are. needed: after how many of them it holds, None where after none. log10_e: its value, as
    log10, at the last item.
    """

    items: int
    needed: int | None
    log10_e: float


def log10_mixture(hits: int, n: int, p: float) -> float:
    """log10 of the test's value after `hits` of n items; q is uniform over [p, 1], and over [0, 1] where p is 1/2.

    There misses prove as much as hits: see `Closed.two_sided`.
    """
    low = 0.0 if p == 0.5 else p
    within = special.betaincc(hits + 1, n - hits + 1, low) if low else 1.0
    if within == 0.0:  # so few hits that no rate above p explains them
        return -math.inf
    average = special.betaln(hits + 1, n - hits + 1) + math.log(within) - math.log1p(-low)
    return float(average - hits * math.log(p) - (n - hits) * math.log1p(-p)) / LN10


def stopped(hits: Sequence[bool], p: float, alpha: float) -> StoppedAsking:
    """The test on `hits`, in their order."""
    total, needed, value = 0, None, 0.0
    for n, hit in enumerate(hits, 1):
        total += hit
        value = log10_mixture(total, n, p)
        if needed is None and value >= -math.log10(alpha):
            needed = n
    return StoppedAsking(len(hits), needed, value)


def items_needed(rate: float, p: float, alpha: float) -> int | None:
    """How many items the test takes of a mark of which this share is left, hits that come evenly; None for too many.

    An item of a lost mark is still a hit with probability p.
    """
    left = rate + (1 - rate) * p
    counts = (n for n in range(1, LONGEST_KEY) if log10_mixture(int(n * left), n, p) >= -math.log10(alpha))
    return next(counts, None)
