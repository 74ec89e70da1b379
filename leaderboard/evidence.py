"""The evidence of one suspect: p-values, thresholds read off them, and present, absent or unclear.

A suspect is weighed with two questions. p_key: was this key chosen independently of this suspect? p_null:
would an unmarked model score this with this key? The larger p counts (intersection-union test, Berger,
Technometrics 1982).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics import (
    LEAST_FOR_PREDICTION,
    NullPool,
    binomial_tails,
    clopper_pearson_upper,
    least_count,
    least_score,
    log10_unlimited,
    poisson_binomial_tails,
    prediction,
    ranks_reach,
    t_interval,
    t_upper,
    wilson,
)

OWN_POOL = "clean"  # nulls of the owner's architecture and data: other pools add to it and never replace it
TOO_FEW = "too few nulls"
NEAR = "near the threshold"

Grade = Literal["exact", "ranked", "extrapolated"]
State = Literal["present", "absent", "unclear"]


@dataclass(frozen=True)
class Evidence:
    """What one suspect says about one key.

    total: hits out of n, or the mean of n real scores; rate: total / n, or the mean. log10_p_key and
    log10_p_null are None where there is no such test; log10_p is the larger. theta: least total with p <=
    alpha; theta0: the same with unlimited nulls; None where no total is enough. upper: one-sided 95 % bound
    of the rate. interval: two-sided 95 % of the rate (Wilson; Student t for real scores). pools: by name,
    {"J", "mean", "max", "log10_p"} of every null pool, counted or not, and "useless", how many models were left out
    because they don't do their task, where there are any. null_mean: mean total of the owner's
    pool.
    """

    total: float
    n: int
    rate: float
    kind: Literal["count", "real"]
    log10_p_key: float | None
    log10_p_null: float | None
    log10_p: float
    grade: Grade
    theta: float | None
    theta0: float | None
    upper: float
    state: State
    reason: str | None
    interval: tuple[float, float]
    pools: Mapping[str, Mapping[str, float | None]]
    null_mean: float | None


@dataclass(frozen=True)
class _Score:
    """One model's items on the channel that counts: 0/1 hits or real scores."""

    items: NDArray[np.float64] | NDArray[np.uint8]
    kind: Literal["count", "real"]

    @property
    def n(self) -> int:
        return len(self.items)

    @property
    def total(self) -> float:
        return int(self.items.sum()) if self.kind == "count" else float(self.items.mean())

    @property
    def sd(self) -> float:
        return float(self.items.std(ddof=1)) if self.n > 1 else 0.0


@dataclass(frozen=True)
class _Test:
    """Everything the p-values depend on but the total, so that thresholds can be read off the same functions.

    key: log10 tail for every count (a law in closed form), or the totals of fresh keys. nulls: the pools that
    count, the owner's first; empty where the owner's is. charge: log10 of the number of keys the claimant may
    have tried.
    """

    key: NDArray[np.float64] | NullPool | None
    nulls: tuple[NullPool, ...]
    alpha: float
    charge: float

    def key_p(self, total: float) -> float | None:
        if self.key is None:
            return None
        if isinstance(self.key, NullPool):
            return self._charged(prediction(total, self.key, self.alpha).log10_p)
        return self._charged(float(self.key[int(total)]))

    def null_p(self, total: float) -> float | None:
        if not self.nulls:
            return None
        largest = max(prediction(total, pool, self.alpha).log10_p for pool in self.nulls)
        return self._charged_without_key(largest)

    def p(self, total: float) -> float:
        return _largest(self.key_p(total), self.null_p(total))

    def unlimited_p(self, total: float) -> float:
        """p if the spread of the nulls were known; p_key as it is."""
        return _largest(self.key_p(total), self._unlimited_null_p(total))

    def unlimited_keys_p(self, total: float) -> float:
        """p if the spread of the nulls and that of fresh keys were known."""
        if not isinstance(self.key, NullPool):
            return self.unlimited_p(total)
        return _largest(self._charged(log10_unlimited(total, self.key)), self._unlimited_null_p(total))

    def _unlimited_null_p(self, total: float) -> float | None:
        if not self.nulls:
            return None
        return self._charged_without_key(max(log10_unlimited(total, pool) for pool in self.nulls))

    def _charged(self, log10_p: float) -> float:
        return min(0.0, log10_p + self.charge)

    def _charged_without_key(self, log10_p: float) -> float:
        # the search is charged once: to p_key, or to p_null where that is all there is
        return log10_p if self.key is not None else self._charged(log10_p)


def _largest(key: float | None, null: float | None) -> float:
    return max((p for p in (key, null) if p is not None), default=0.0)


def weigh(
    observation: Mapping[str, Any],
    pools: Mapping[str, Sequence[Mapping[str, Any]]],
    alpha: float,
    *,
    search_bits: int = 0,
) -> Evidence:
    """Weigh a suspect's observation against the same key's observations on independent unmarked models.

    pools: nulls by pool; "clean" (the owner's architecture and data) always counts, another one from 8 nulls
    on. Unreadable nulls are left out. search_bits: a claimant free to try 2^w keys is charged p_key x 2^w
    (p_null where there is no p_key). An unreadable suspect is no evidence: total 0, p = 1, absent. Raises
    ValueError where the channels of suspect and nulls do not fit together.
    """
    channel = observation["evidence"]
    scores = {
        name: [_score(null, channel) for null in members if null.get("unreadable") is None]
        for name, members in pools.items()
    }
    null_pools = {name: _pool(name, members) for name, members in scores.items() if members}
    own = null_pools.get(OWN_POOL)
    null_mean = None if own is None else float(np.mean(own.totals))
    if observation.get("unreadable") is not None:
        printed = {name: _printed(null_pools.get(name), None, alpha) for name in pools}
        return _no_evidence(observation["unreadable"], scores, printed, null_mean)

    suspect = _score(observation, channel)
    for name, members in scores.items():
        if members and (members[0].kind, members[0].n) != (suspect.kind, suspect.n):
            raise ValueError(f"nulls of pool '{name}' were not scored on the suspect's {suspect.n} items")
    test = _Test(
        key=_key_law(observation["channels"][channel].get("law"), suspect),
        nulls=_counting(null_pools),
        alpha=alpha,
        charge=search_bits * math.log10(2.0),
    )
    total, n = suspect.total, suspect.n
    if suspect.kind == "count":
        rate, upper = total / n, clopper_pearson_upper(int(total), n)
        interval = wilson(int(total), n)
    else:
        rate, upper = total, t_upper(total, suspect.sd, n)
        interval = t_interval(total, suspect.sd, n)
    log10_p = test.p(total)
    theta0 = _theta0(test, suspect)
    state, reason = _state(test, total, n * upper if suspect.kind == "count" else upper, theta0)
    return Evidence(
        total=total,
        n=n,
        rate=rate,
        kind=suspect.kind,
        log10_p_key=test.key_p(total),
        log10_p_null=test.null_p(total),
        log10_p=log10_p,
        grade=_grade(test),
        theta=_least_total(test.p, test, suspect),
        theta0=theta0,
        upper=upper,
        state=state,
        reason=reason,
        interval=interval,
        pools={name: _printed(null_pools.get(name), total, alpha) for name in pools},
        null_mean=null_mean,
    )


def _score(observation: Mapping[str, Any], channel: str) -> _Score:
    items = observation["channels"][channel]
    if "hits" in items:
        hits = items["hits"]
        if not hits or not set(hits) <= {"0", "1"}:
            raise ValueError(f"channel '{channel}' needs one '0' or '1' per key item")
        return _Score(np.frombuffer(hits.encode(), dtype=np.uint8) - ord("0"), "count")
    values = np.asarray(items["values"], dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"channel '{channel}' needs one finite score per key item")
    return _Score(values, "real")


def _pool(name: str, nulls: Sequence[_Score]) -> NullPool:
    if len({(null.kind, null.n) for null in nulls}) > 1:
        raise ValueError(f"nulls of pool '{name}' were scored on different items")
    if nulls[0].kind == "count":
        return NullPool.of_counts([int(null.total) for null in nulls], nulls[0].n)
    within = float(np.median([null.sd for null in nulls])) / math.sqrt(nulls[0].n)
    return NullPool.of_scores([null.total for null in nulls], within)


def _key_law(law: Mapping[str, Any] | None, suspect: _Score) -> NDArray[np.float64] | NullPool | None:
    """What a fresh key would score on this suspect: tails in closed form, or totals of keys drawn anew."""
    if law is None:
        return None
    if law["kind"] == "redrawn":
        if not law["totals"]:
            return None
        if suspect.kind == "count":
            return NullPool.of_counts(law["totals"], suspect.n)
        # all totals come from this suspect, so its own items tell the least spread
        return NullPool.of_scores(law["totals"], suspect.sd / math.sqrt(suspect.n))
    if suspect.kind != "count":
        raise ValueError(f"a {law['kind']} law needs hits, not real scores")
    if law["kind"] == "binomial":
        return binomial_tails(suspect.n, law["p"])
    if law["kind"] == "poisson-binomial":
        if len(law["p"]) != suspect.n:
            raise ValueError(f"the law has {len(law['p'])} items and the suspect {suspect.n}")
        return poisson_binomial_tails(law["p"])
    raise ValueError(f"unknown law '{law['kind']}'")


def _counting(null_pools: Mapping[str, NullPool]) -> tuple[NullPool, ...]:
    if OWN_POOL not in null_pools:
        return ()
    others = (pool for name, pool in null_pools.items() if name != OWN_POOL)
    return (null_pools[OWN_POOL], *(pool for pool in others if len(pool.totals) >= LEAST_FOR_PREDICTION))


def _state(test: _Test, total: float, upper: float, theta0: float | None) -> tuple[State, str | None]:
    if test.key is None and not test.nulls:
        return "unclear", TOO_FEW
    if test.p(total) <= math.log10(test.alpha):
        return "present", None
    # None: the key cannot tell a mark from its absence, however many the nulls
    if theta0 is None or upper < theta0:
        return "absent", None
    return "unclear", TOO_FEW if total >= theta0 else NEAR


def _grade(test: _Test) -> Grade:
    if isinstance(test.key, np.ndarray):
        return "exact"
    drawn = [pool for pool in (test.key, *test.nulls[:1]) if isinstance(pool, NullPool)]
    return "ranked" if any(ranks_reach(len(pool.totals), test.alpha) for pool in drawn) else "extrapolated"


def _theta0(test: _Test, suspect: _Score) -> float | None:
    theta0 = _least_total(test.unlimited_p, test, suspect)
    if theta0 is None:  # scarce fresh keys may no more manufacture a removal than scarce nulls
        theta0 = _least_total(test.unlimited_keys_p, test, suspect)
    return theta0


def _least_total(p: Callable[[float], float], test: _Test, suspect: _Score) -> float | None:
    """Least total with p <= alpha; every p falls in the total. None where none is enough."""
    bound = math.log10(test.alpha)

    def enough(total: float) -> bool:
        return p(total) <= bound

    if suspect.kind == "count":
        return least_count(enough, suspect.n)
    drawn = [pool for pool in (test.key, *test.nulls) if isinstance(pool, NullPool)]
    if not drawn:
        return None
    # at the largest centre some p is at least 1/2; the step only has to be positive
    return least_score(enough, max(pool.centre for pool in drawn), max(pool.spread for pool in drawn) or 1e-9)


def _printed(pool: NullPool | None, total: float | None, alpha: float) -> dict[str, float | None]:
    if pool is None:
        return {"J": 0, "mean": None, "max": None, "log10_p": None}
    log10_p = 0.0 if total is None else prediction(total, pool, alpha).log10_p
    mean = float(np.mean(pool.totals))
    return {"J": len(pool.totals), "mean": mean, "max": max(pool.totals), "log10_p": log10_p}


def _no_evidence(
    reason: str,
    scores: Mapping[str, Sequence[_Score]],
    printed: Mapping[str, Mapping[str, float | None]],
    null_mean: float | None,
) -> Evidence:
    example = next((members[0] for members in scores.values() if members), None)
    return Evidence(
        total=0,
        n=0 if example is None else example.n,
        rate=0.0,
        kind="count" if example is None else example.kind,
        log10_p_key=None,
        log10_p_null=None,
        log10_p=0.0,
        grade="exact",  # p = 1 needs no nulls to hold
        theta=None,
        theta0=None,
        upper=0.0,
        state="absent",
        reason=reason,
        interval=(0.0, 0.0),
        pools=printed,
        null_mean=null_mean,
    )
