"""The two tests behind every p-value: the law of a fresh key, and pools of nulls; and the thresholds read off them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leaderboard.stats import tails
from leaderboard.stats.tails import NullPool, log10_prediction, log10_unlimited

OWN_POOL = "clean"  # nulls of the owner's architecture and data: other pools add to it and never replace it
SURROGATE_POOL = "surrogate"  # surrogates of clean nulls, on tasks of nets that map images

ScoreKind = Literal["count", "real"]
Grade = Literal["exact", "ranked", "extrapolated"]


@dataclass(frozen=True)
class EvidenceScore:
    """One model on the channel that counts: hits out of n, or the mean of n real scores and their sd."""

    total: float
    n: int
    kind: ScoreKind
    sd: float = 0.0


def score(observation: Mapping[str, Any], channel: str) -> EvidenceScore:
    """The score of an observation. Raises ValueError where its items are none."""
    items = observation["channels"][channel]
    if "hits" in items:
        return _count(items["hits"], channel)
    values = np.asarray(items["values"], dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"channel '{channel}' needs one finite score per key item")
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return EvidenceScore(float(values.mean()), len(values), "real", sd)


@lru_cache(maxsize=65536)
def _count(hits: str, channel: str) -> EvidenceScore:
    ones = hits.count("1")
    if not hits or ones + hits.count("0") != len(hits):
        raise ValueError(f"channel '{channel}' needs one '0' or '1' per key item")
    return EvidenceScore(ones, len(hits), "count")


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


@dataclass(frozen=True)
class Closed:
    """A law in closed form: hits out of n independent items, each with probability `p`, or each with its own."""

    n: int
    p: float | tuple[float, ...]

    def log10_tail(self, total: float) -> float:
        return float(_log10_tails(self)[int(total)])


@lru_cache(maxsize=1024)
def _log10_tails(law: Closed) -> NDArray[np.float64]:
    return tails.poisson_binomial_tails(law.p) if isinstance(law.p, tuple) else tails.binomial_tails(law.n, law.p)


def key_law(law: Mapping[str, Any] | None, suspect: EvidenceScore) -> Closed | NullPool | None:
    """What a fresh key would score on this suspect: a law in closed form, or the totals of keys drawn anew.

    Raises ValueError where the law doesn't fit the suspect.
    """
    if law is None:
        return None
    if law["kind"] == "redrawn":
        if not law["totals"]:
            return None
        if suspect.kind == "count":
            return NullPool.of_counts(law["totals"], suspect.n)
        # all totals are of this suspect: the least spread is the sampling error of its own items
        return NullPool.of_scores(law["totals"], suspect.sd / math.sqrt(suspect.n))
    if suspect.kind != "count":
        raise ValueError(f"a {law['kind']} law needs hits, not real scores")
    if law["kind"] == "binomial":
        return Closed(suspect.n, law["p"])
    if law["kind"] == "poisson-binomial":
        if len(law["p"]) != suspect.n:
            raise ValueError(f"the law has {len(law['p'])} items and the suspect {suspect.n}")
        return Closed(suspect.n, tuple(law["p"]))
    raise ValueError(f"unknown law '{law['kind']}'")


@dataclass(frozen=True)
class NullTest:
    """Everything the p-values depend on but the total and alpha: thresholds are read off the same functions.

    key: the law of a fresh key, or the totals of keys drawn anew. nulls: the pools that count, the owner's first;
    empty where the owner's is. charge: log10 of the number of keys the claimant may have tried. alpha decides only
    whether ranks among so many nulls can count.
    """

    key: Closed | NullPool | None
    nulls: tuple[NullPool, ...]
    charge: float

    def key_p(self, total: float, alpha: float) -> float | None:
        if self.key is None:
            return None
        if isinstance(self.key, NullPool):
            return self._charged(log10_prediction(total, self.key, alpha))
        return self._charged(self.key.log10_tail(total))

    def null_p(self, total: float, alpha: float) -> float | None:
        return self._largest_of_pools(log10_prediction(total, pool, alpha) for pool in self.nulls)

    def p(self, total: float, alpha: float) -> float:
        return _largest(self.key_p(total, alpha), self.null_p(total, alpha))

    def unlimited_p(self, total: float, alpha: float) -> float:
        """p if the spread of the nulls were known; p_key as it is."""
        return _largest(self.key_p(total, alpha), self._unlimited_null_p(total))

    def unlimited_keys_p(self, total: float, alpha: float) -> float:
        """p if the spread of the nulls and that of fresh keys were known."""
        if not isinstance(self.key, NullPool):
            return self.unlimited_p(total, alpha)
        return _largest(self._charged(log10_unlimited(total, self.key)), self._unlimited_null_p(total))

    def grade(self, alpha: float) -> Grade:
        if isinstance(self.key, Closed):
            return "exact"
        drawn = [pool for pool in (self.key, *self.nulls[:1]) if isinstance(pool, NullPool)]
        return "ranked" if any(tails.ranks_reach(len(pool.totals), alpha) for pool in drawn) else "extrapolated"

    def _unlimited_null_p(self, total: float) -> float | None:
        return self._largest_of_pools(log10_unlimited(total, pool) for pool in self.nulls)

    def _largest_of_pools(self, log10_ps: Iterable[float]) -> float | None:
        largest = max(log10_ps, default=None)
        # the search is charged once: to p_key, or to p_null where that is all there is
        return largest if largest is None or self.key is not None else self._charged(largest)

    def _charged(self, log10_p: float) -> float:
        return min(0.0, log10_p + self.charge)


def _largest(key: float | None, null: float | None) -> float:
    return max((p for p in (key, null) if p is not None), default=0.0)


@lru_cache(maxsize=65536)
def thresholds(test: NullTest, kind: ScoreKind, n: int, alpha: float) -> tuple[float | None, float | None]:
    """theta, the least total with p <= alpha, and theta0, the same with unlimited nulls; None where none is enough.

    They depend on no suspect, so every cell under one key shares them.
    """
    theta0 = _least_total(test.unlimited_p, test, kind, n, alpha)
    if theta0 is None:  # scarce fresh keys may no more manufacture a removal than scarce nulls
        theta0 = _least_total(test.unlimited_keys_p, test, kind, n, alpha)
    return _least_total(test.p, test, kind, n, alpha), theta0


def _least_total(
    p: Callable[[float, float], float], test: NullTest, kind: ScoreKind, n: int, alpha: float
) -> float | None:
    """Least total with p <= alpha; every p falls in the total. None where none is enough."""
    bound = math.log10(alpha)

    def enough(total: float) -> bool:
        return p(total, alpha) <= bound

    if kind == "count":
        least = bisect_left(range(n + 1), True, key=enough)
        return least if least <= n else None
    drawn = [pool for pool in (test.key, *test.nulls) if isinstance(pool, NullPool)]
    if not drawn:
        return None
    # at the largest centre some p is at least 1/2; the step only has to be positive
    return tails.least_score(enough, max(pool.centre for pool in drawn), max(pool.spread for pool in drawn) or 1e-9)
