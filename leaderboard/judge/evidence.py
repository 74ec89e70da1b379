"""The evidence of one suspect: p-values, thresholds read off them, and present, absent or unclear.

A suspect is weighed with two questions. p_key: was this key chosen independently of this suspect? p_null:
would an unmarked model score this with this key? The larger p counts (intersection-union test, Berger,
Technometrics 1982).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np

from leaderboard.stats import null_tests, tails
from leaderboard.stats.null_tests import OWN_POOL, EvidenceScore, Grade, NullTest, ScoreKind
from leaderboard.stats.reach import winnable

__all__ = ["NEAR", "OWN_POOL", "TOO_FEW", "Evidence", "Weighing", "weigh"]

TOO_FEW = "too few nulls"
NEAR = "near the threshold"

EvidenceState = Literal["present", "absent", "unclear"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence for one key in one suspect; the defaults are those of a suspect that can't be read.

    total: hits out of n, or the mean of n real scores; rate: total / n, or the mean. log10_p_key and
    log10_p_null are None where there is no such test; log10_p is the larger. theta: least total with p <=
    alpha; theta0: the same with unlimited nulls; None where no total is enough. upper: one-sided 95 % bound
    of the rate. interval: two-sided 95 % of the rate (Wilson; Student t for real scores). pools: by name,
    {"J", "mean", "max", "log10_p"} of every null pool, counted or not, and "useless", how many models were left out
    because they don't do their task, where there are any. null_mean: mean total of the owner's pool.
    """

    total: float = 0
    n: int
    rate: float = 0.0
    kind: ScoreKind
    log10_p_key: float | None = None
    log10_p_null: float | None = None
    log10_p: float = 0.0
    grade: Grade = "exact"  # p = 1 needs no nulls to hold
    theta: float | None = None
    theta0: float | None = None
    upper: float = 0.0
    state: EvidenceState
    reason: str | None
    interval: tuple[float, float] = (0.0, 0.0)
    pools: Mapping[str, Mapping[str, float | None]]
    null_mean: float | None


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
    return Weighing.of(observation, pools, search_bits=search_bits).at(alpha)


@dataclass(frozen=True)
class Weighing:
    """A suspect and its nulls, read and scored: everything about its evidence that no alpha changes.

    suspect: None where it can't be read, for the reason `unreadable`. example: the first null that was read.
    """

    suspect: EvidenceScore | None
    unreadable: str | None
    test: NullTest
    pools: Mapping[str, tails.NullPool | None]
    useless: Mapping[str, int]
    example: EvidenceScore | None
    read: dict[float, Evidence] = field(default_factory=dict, repr=False, compare=False)  # by alpha

    @classmethod
    def of(
        cls,
        observation: Mapping[str, Any],
        pools: Mapping[str, Sequence[Mapping[str, Any]]],
        *,
        search_bits: int = 0,
        useless: Mapping[str, int] | None = None,
    ) -> Weighing:
        """See `weigh`. useless: by pool, how many models were left out of it for not doing their task."""
        channel = observation["evidence"]
        scores = {
            name: [null_tests.score(null, channel) for null in members if null.get("unreadable") is None]
            for name, members in pools.items()
        }
        null_pools = {name: null_tests.null_pool(name, members) for name, members in scores.items() if members}
        shown = {name: null_pools.get(name) for name in pools}
        example = next((members[0] for members in scores.values() if members), None)
        if observation.get("unreadable") is not None:
            return cls(None, observation["unreadable"], NullTest(None, (), 0.0), shown, useless or {}, example)
        suspect = null_tests.score(observation, channel)
        for name, members in scores.items():
            if members and (members[0].kind, members[0].n) != (suspect.kind, suspect.n):
                raise ValueError(f"nulls of pool '{name}' were not scored on the suspect's {suspect.n} items")
        law = null_tests.key_law(observation["channels"][channel].get("law"), suspect)
        test = NullTest(law, null_tests.counting(null_pools), search_bits * math.log10(2.0))
        return cls(suspect, None, test, shown, useless or {}, example)

    def at(self, alpha: float) -> Evidence:
        """The evidence read at one alpha."""
        if alpha not in self.read:
            own = self.pools.get(OWN_POOL)
            nulls = {"pools": self._printed(alpha), "null_mean": None if own is None else _mean(own)}
            self.read[alpha] = self._unread(nulls) if self.suspect is None else self._seen(self.suspect, alpha, nulls)
        return self.read[alpha]

    def winnable(self, alpha: float) -> bool:
        """Whether any key could be present: one whose every item hits, where fresh keys hit nothing.

        True of a suspect that can't be read, which tells nothing about the test.
        """
        return self.suspect is None or winnable(self.test, self.suspect.kind, self.suspect.n, alpha)

    @cached_property
    def bounds(self) -> tuple[float, float, tuple[float, float]]:
        """Rate, one-sided upper bound and two-sided interval of the rate."""
        assert self.suspect is not None
        total, n = self.suspect.total, self.suspect.n
        if self.suspect.kind == "count":
            return total / n, tails.clopper_pearson_upper(int(total), n), tails.wilson(int(total), n)
        return total, tails.t_upper(total, self.suspect.sd, n), tails.t_interval(total, self.suspect.sd, n)

    def _unread(self, nulls: Mapping[str, Any]) -> Evidence:
        n, kind = (self.example.n, self.example.kind) if self.example else (0, "count")
        return Evidence(n=n, kind=kind, state="absent", reason=self.unreadable, **nulls)

    def _seen(self, suspect: EvidenceScore, alpha: float, nulls: Mapping[str, Any]) -> Evidence:
        test, total, n = self.test, suspect.total, suspect.n
        rate, upper, interval = self.bounds
        theta, theta0 = null_tests.thresholds(test, suspect.kind, n, alpha)
        log10_p = test.p(total, alpha)
        if test.key is None and not test.nulls:
            state: EvidenceState = "unclear"
            reason: str | None = TOO_FEW
        elif log10_p <= math.log10(alpha):
            state, reason = "present", None
        # None: this key can't separate a mark from its absence, however many the nulls
        elif theta0 is None or (n * upper if suspect.kind == "count" else upper) < theta0:
            state, reason = "absent", None
        else:
            state, reason = "unclear", TOO_FEW if total >= theta0 else NEAR
        return Evidence(
            total=total,
            n=n,
            rate=rate,
            kind=suspect.kind,
            log10_p_key=test.key_p(total, alpha),
            log10_p_null=test.null_p(total, alpha),
            log10_p=log10_p,
            grade=test.grade(alpha),
            theta=theta,
            theta0=theta0,
            upper=upper,
            state=state,
            reason=reason,
            interval=interval,
            **nulls,
        )

    def _printed(self, alpha: float) -> dict[str, dict[str, float | None]]:
        found: dict[str, dict[str, float | None]] = {}
        for name, pool in self.pools.items():
            if pool is None:
                found[name] = {"J": 0, "mean": None, "max": None, "log10_p": None}
            else:
                log10_p = tails.log10_prediction(self.suspect.total, pool, alpha) if self.suspect else 0.0
                found[name] = {"J": len(pool.totals), "mean": _mean(pool), "max": max(pool.totals), "log10_p": log10_p}
            if any(self.useless.values()):
                found[name]["useless"] = self.useless.get(name, 0)
        return found


@lru_cache(maxsize=8192)
def _mean(pool: tails.NullPool) -> float:
    return float(np.mean(pool.totals))
