"""The p-value of a suspect from a fresh key's law and pools of nulls, and the thresholds read off it.

docs/statistics.md holds the rule with its sources.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from leaderboard.stats import tails
from leaderboard.stats.fresh_keys import Closed, DrawnKeys
from leaderboard.stats.scores import EvidenceScore, ScoreKind
from leaderboard.stats.tails import NullPool, log10_prediction, log10_unlimited

OWN_POOL = "clean"  # nulls of the owner's architecture and data: other pools add to it and never replace it
SURROGATE_POOL = "surrogate"  # surrogates of clean nulls, on tasks of nets that map images

Grade = Literal["exact", "ranked", "extrapolated"]


def null_pool(name: str, nulls: Sequence[EvidenceScore]) -> NullPool:
    """The pool of independent nulls. Raises ValueError where they were scored on different items."""
    if len({(null.kind, null.n) for null in nulls}) > 1:
        raise ValueError(f"nulls of pool '{name}' were scored on different items")
    totals = tuple(null.total for null in nulls)
    if nulls[0].kind == "count":
        return _pool_of_counts(totals, nulls[0].n)
    within = float(np.median([null.sd for null in nulls])) / math.sqrt(nulls[0].n)
    return NullPool.of_scores(totals, within)


@lru_cache(maxsize=8192)
def _pool_of_counts(totals: tuple[int, ...], n: int) -> NullPool:
    return NullPool.of_counts(totals, n)


def counting(pools: Mapping[str, NullPool]) -> tuple[NullPool, ...]:
    """The pools that count, the owner's first: others from 8 nulls on, and none without the owner's."""
    if OWN_POOL not in pools:
        return ()
    others = (pool for name, pool in pools.items() if name != OWN_POOL)
    return (pools[OWN_POOL], *(pool for pool in others if len(pool.totals) >= tails.LEAST_FOR_PREDICTION))


def weakest(grades: Iterable[Grade]) -> Grade:
    """The grade of the least known of several numbers."""
    return max(grades, key=get_args(Grade).index)


def grade_of(log10_p: float, drawn: int) -> Grade:
    """How a p-value from this many nulls or keys is known: their rank bounds it, or it reaches beyond them."""
    return "ranked" if log10_p >= -math.log10(drawn + 1) - 1e-12 else "extrapolated"


@dataclass(frozen=True)
class Innocents:
    """A check beside an exact p-value: how many `of` unmarked models show `as_high` a total as the suspect's."""

    as_high: int
    of: int

    @property
    def rank_p(self) -> float:
        """The p-value by rank, (1 + k) / (J + 1): no smaller one can come of so few models."""
        return (1 + self.as_high) / (self.of + 1)

    def refute(self, alpha: float) -> bool:
        """Whether the models are enough to speak at alpha, and say that innocents score as high."""
        return tails.ranks_reach(self.of, alpha) and self.rank_p > alpha


@dataclass(frozen=True)
class NullTest:
    """Everything the p-values depend on but the total and alpha: thresholds are read off the same functions.

    key: the law of a fresh key, or keys drawn anew. nulls: the pools that count, the owner's first; empty where the
    owner's is. charge: log10 of the number of keys the claimant may have tried. alpha decides only whether ranks among
    so many nulls can count. strict: the nulls count beside an exact law, too.
    """

    key: Closed | DrawnKeys | None
    nulls: tuple[NullPool, ...]
    charge: float
    strict: bool = False

    @property
    def rests_on_key(self) -> bool:
        """Whether p is p_key alone: its law is exact, whatever unmarked models show."""
        return isinstance(self.key, Closed) and not self.strict

    @property
    def without_nulls(self) -> NullTest:
        """The test of p_key alone, which every key of one law shares."""
        return NullTest(self.key, (), self.charge, self.strict)

    @property
    def two_sided(self) -> bool:
        return isinstance(self.key, Closed) and self.key.two_sided

    def folded(self, total: float) -> float:
        """The total or, of two sides, that of the side it is on: as far above the middle as it is from it."""
        return max(total, self.key.n - total) if isinstance(self.key, Closed) and self.key.two_sided else total

    def key_p(self, total: float, alpha: float) -> float | None:
        return None if self.key is None else self._charged(self.key.log10_p(total, alpha))

    def null_p(self, total: float, alpha: float) -> float | None:
        return self._largest_of_pools(self.pool_p(total, pool, alpha) for pool in self.nulls)

    def pool_p(self, total: float, pool: NullPool, alpha: float) -> float:
        """log10 p by one pool: of two sides, twice that of the likelier one."""
        return self._of_sides(lambda one, among: log10_prediction(one, among, alpha), total, pool)

    def p(self, total: float, alpha: float) -> float:
        key = self.key_p(total, alpha)
        return key if self.rests_on_key and key is not None else _largest(key, self.null_p(total, alpha))

    def unlimited_p(self, total: float, alpha: float) -> float:
        """p if the spread of the nulls were known; p_key as it is."""
        key = self.key_p(total, alpha)
        return key if self.rests_on_key and key is not None else _largest(key, self._unlimited_null_p(total))

    def unlimited_keys_p(self, total: float, alpha: float) -> float:
        """p if the spread of the nulls and that of fresh keys were known."""
        if not isinstance(self.key, DrawnKeys):
            return self.unlimited_p(total, alpha)
        return _largest(self._charged(log10_unlimited(total, self.key.pool)), self._unlimited_null_p(total))

    def key_grade(self, total: float, alpha: float) -> Grade | None:
        """How p_key is known; None where there is none. A charge makes no number better known."""
        if isinstance(self.key, DrawnKeys):
            return grade_of(self.key.log10_p(total, alpha), self.key.drawn)
        return None if self.key is None else "exact"

    def null_grade(self, total: float, alpha: float) -> Grade | None:
        """How p_null is known: by the pool whose p it is."""
        pool = self.deciding_pool(total, alpha)
        return None if pool is None else grade_of(self.pool_p(total, pool, alpha), len(pool.totals))

    def deciding_pool(self, total: float, alpha: float) -> NullPool | None:
        """The pool whose p is p_null, of equals the larger; None where none counts."""
        return max(self.nulls, key=lambda pool: (self.pool_p(total, pool, alpha), len(pool.totals)), default=None)

    def grade(self, total: float, alpha: float) -> Grade:
        """How p is known: by the one of p_key and p_null that it is."""
        key, null = self.key_p(total, alpha), self.null_p(total, alpha)
        by_key = null is None or self.rests_on_key or (key is not None and key >= null)
        # p = 1 needs neither key nor nulls to hold
        return (self.key_grade if by_key else self.null_grade)(total, alpha) or "exact"

    def innocents(self, total: float) -> Innocents | None:
        """The check beside p_key where that decides alone: by the pool that speaks for the suspect most."""
        if not self.rests_on_key:
            return None
        far = self.folded(total)
        found = [
            Innocents(sum(self.folded(null) >= far for null in pool.totals), len(pool.totals)) for pool in self.nulls
        ]
        return max(found, key=lambda one: one.rank_p, default=None)

    def _unlimited_null_p(self, total: float) -> float | None:
        return self._largest_of_pools(self._of_sides(log10_unlimited, total, pool) for pool in self.nulls)

    def _of_sides(self, log10_p: Callable[[float, NullPool], float], total: float, pool: NullPool) -> float:
        if not self.two_sided or pool.n is None:
            return log10_p(total, pool)
        smaller = min(log10_p(total, pool), log10_p(pool.n - total, _mirrored(pool)))
        return min(0.0, math.log10(2.0) + smaller)

    def _largest_of_pools(self, log10_ps: Iterable[float]) -> float | None:
        largest = max(log10_ps, default=None)
        # the search is charged once: to p_key, or to p_null where that is all there is
        return largest if largest is None or self.key is not None else self._charged(largest)

    def _charged(self, log10_p: float) -> float:
        return min(0.0, log10_p + self.charge)


@lru_cache(maxsize=8192)
def _mirrored(pool: NullPool) -> NullPool:
    """The misses of a pool of hits."""
    assert pool.n is not None
    return NullPool.of_counts([pool.n - int(total) for total in pool.totals], pool.n)


def _largest(key: float | None, null: float | None) -> float:
    return max((p for p in (key, null) if p is not None), default=0.0)


def theta(test: NullTest, kind: ScoreKind, n: int, alpha: float) -> float | None:
    """The least total with p <= alpha, of two sides on the upper one; None where none is enough."""
    return _theta(test.without_nulls if test.rests_on_key else test, kind, n, alpha)


def theta0(test: NullTest, kind: ScoreKind, n: int, alpha: float) -> float | None:
    """The same with unlimited nulls: where p is p_key alone the two are one."""
    return theta(test, kind, n, alpha) if test.rests_on_key else _theta0(test, kind, n, alpha)


def reaches_theta0(test: NullTest, kind: ScoreKind, n: int, alpha: float, total: float) -> bool:
    """Whether there is a `theta0`, and `total` is not below it: p falls in the total, so nobody has to look for it."""
    p = _unlimited(test, kind, n, alpha)
    return p(math.floor(total) if kind == "count" else total, alpha) <= math.log10(alpha)


@lru_cache(maxsize=65536)
def _theta(test: NullTest, kind: ScoreKind, n: int, alpha: float) -> float | None:
    return _least_total(test.p, test, kind, n, alpha)


@lru_cache(maxsize=65536)
def _theta0(test: NullTest, kind: ScoreKind, n: int, alpha: float) -> float | None:
    return _least_total(_unlimited(test, kind, n, alpha), test, kind, n, alpha)


def _unlimited(test: NullTest, kind: ScoreKind, n: int, alpha: float) -> Callable[[float, float], float]:
    """p with unlimited nulls; where then no total is enough, with unlimited fresh keys, too.

    Scarce fresh keys may no more manufacture a removal than scarce nulls.
    """
    enough = test.unlimited_p(n if kind == "count" else math.inf, alpha) <= math.log10(alpha)
    return test.unlimited_p if enough else test.unlimited_keys_p


def _least_total(
    p: Callable[[float, float], float], test: NullTest, kind: ScoreKind, n: int, alpha: float
) -> float | None:
    """Least total with p <= alpha; every p falls in the total, from the middle on where it has two sides.

    None where none is enough.
    """
    bound = math.log10(alpha)

    def enough(total: float) -> bool:
        return p(total, alpha) <= bound

    if kind == "count":
        totals = range((n + 1) // 2 if test.two_sided else 0, n + 1)
        place = bisect_left(totals, True, key=enough)
        return totals[place] if place < len(totals) else None
    pools = [*([test.key.pool] if isinstance(test.key, DrawnKeys) else []), *test.nulls]
    if not pools:
        return None
    # at the largest centre some p is at least 1/2; the step only has to be positive
    return tails.least_score(enough, max(pool.centre for pool in pools), max(pool.spread for pool in pools) or 1e-9)
