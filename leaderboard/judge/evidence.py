"""The evidence of one suspect: p-values, thresholds read off them, and present, absent or unclear.

Where the law of a fresh key is exact, the verdict rests on p_key: was this key chosen independently of this suspect?
Otherwise, and where a strict reading is asked for, on the larger of p_key and p_null: would an unmarked model score
this with this key? docs/statistics.md holds the rule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any, Literal

import numpy as np

from leaderboard.judge.nulls import Nulls, ScoredNulls
from leaderboard.stats import null_tests, scores, tails
from leaderboard.stats.fresh_keys import key_law
from leaderboard.stats.null_tests import OWN_POOL, Grade, Innocents, NullTest
from leaderboard.stats.reach import winnable
from leaderboard.stats.scores import ChannelTotal, EvidenceScore, ScoreKind

__all__ = ["INNOCENTS_SCORE", "NEAR", "OWN_POOL", "TOO_FEW", "Evidence", "Weighing", "weigh"]

TOO_FEW = "too few nulls"
NEAR = "near the threshold"
INNOCENTS_SCORE = "unmarked models score as high"

EvidenceState = Literal["present", "absent", "unclear"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence for one key in one suspect; the defaults are those of a suspect that can't be read.

    total: hits out of n, or the mean of n real scores; rate: total / n, or the mean. log10_p: what decides; p_key and
    p_null are None where there is no such test. Each of the three has its grade: how that number is known. innocents:
    the check beside an exact p_key. theta: least total with p <= alpha; theta0: the same with unlimited nulls; None
    where no total is enough. upper: one-sided 95 % bound of the rate. interval: two-sided 95 % of the rate (Wilson;
    Student t for real scores). pools: by name, {"J", "mean", "max", "log10_p"} of every null pool, counted or not, and
    "useless", how many models were left out because they don't do their task, where there are any. null_mean: mean
    total of the owner's pool. two_sided: misses prove as much as hits; inverted: here they do. tries: how many views of
    the suspect the question was put to; views: their totals, by channel; view: which of them all the rest is of. Of a
    single one these are 1, empty and None. log10_p counts the tries, p_key and p_null and the thresholds are those of
    the view.
    """

    total: float = 0
    n: int
    rate: float = 0.0
    kind: ScoreKind
    log10_p_key: float | None = None
    log10_p_null: float | None = None
    log10_p: float = 0.0
    grade: Grade = "exact"  # p = 1 needs no nulls to hold
    key_grade: Grade | None = None
    null_grade: Grade | None = None
    innocents: Innocents | None = None
    theta: float | None = None
    theta0: float | None = None
    upper: float = 0.0
    state: EvidenceState
    reason: str | None
    interval: tuple[float, float] = (0.0, 0.0)
    pools: Mapping[str, Mapping[str, float | None]]
    null_mean: float | None
    two_sided: bool = False
    inverted: bool = False
    view: str | None = None
    tries: int = 1
    views: Mapping[str, ChannelTotal] = field(default_factory=dict)

    @property
    def warned(self) -> bool:
        """Whether an exact p-value is present and unmarked models score as high, too few to refute it."""
        return self.state == "present" and self.innocents is not None and self.innocents.as_high > 0


def weigh(
    observation: Mapping[str, Any],
    pools: Mapping[str, Sequence[Mapping[str, Any]]],
    alpha: float,
    *,
    search_bits: int = 0,
    strict: bool = False,
) -> Evidence:
    """Weigh a suspect's observation against the same key's observations on independent unmarked models.

    pools: nulls by pool; "clean" (the owner's architecture and data) always counts, another one from 8 nulls
    on. Unreadable nulls are left out. search_bits: a claimant free to try 2^w keys is charged p_key x 2^w
    (p_null where there is no p_key). strict: the larger of p_key and p_null counts whatever the law. An unreadable
    suspect is no evidence: total 0, p = 1, absent. Raises ValueError where the channels of suspect and nulls do not
    fit together.
    """
    nulls = {name: Nulls(name, members) for name, members in pools.items()}
    return Weighing.of(observation, nulls, search_bits=search_bits).at(alpha, strict=strict)


@dataclass(frozen=True)
class View:
    """One channel of a suspect that the question is put to, its law, and the same channel of the nulls."""

    channel: str
    suspect: EvidenceScore
    test: NullTest
    pools: Mapping[str, tails.NullPool | None]
    useless: Mapping[str, int]

    @cached_property
    def bounds(self) -> tuple[float, float, tuple[float, float]]:
        """Rate, one-sided upper bound and two-sided interval of the rate."""
        total, n = self.suspect.total, self.suspect.n
        if self.suspect.kind == "count":
            return total / n, tails.clopper_pearson_upper(int(total), n), tails.wilson(int(total), n)
        return total, tails.t_upper(total, self.suspect.sd, n), tails.t_interval(total, self.suspect.sd, n)

    def at(self, alpha: float, *, strict: bool, brief: bool = False) -> Evidence:
        """The evidence of this view alone; brief: see `Weighing.at`."""
        suspect, test = self.suspect, self.test if self.test.strict == strict else replace(self.test, strict=strict)
        total, n = suspect.total, suspect.n
        log10_p, innocents = test.p(total, alpha), test.innocents(total)
        state, reason = self._state(test, alpha, log10_p, innocents)
        if brief:
            return Evidence(total=total, n=n, kind=suspect.kind, log10_p=log10_p, innocents=innocents, state=state,
                            reason=reason, pools={}, null_mean=None)  # fmt: skip
        rate, upper, interval = self.bounds
        own = self.pools.get(OWN_POOL)
        return Evidence(
            total=total,
            n=n,
            rate=rate,
            kind=suspect.kind,
            log10_p_key=test.key_p(total, alpha),
            log10_p_null=test.null_p(total, alpha),
            log10_p=log10_p,
            grade=test.grade(total, alpha),
            key_grade=test.key_grade(total, alpha),
            null_grade=test.null_grade(total, alpha),
            innocents=innocents,
            theta=null_tests.theta(test, suspect.kind, n, alpha),
            theta0=null_tests.theta0(test, suspect.kind, n, alpha),
            upper=upper,
            state=state,
            reason=reason,
            interval=interval,
            pools=_printed(self.pools, self.useless, alpha, self),
            null_mean=None if own is None else _mean(own),
            two_sided=test.two_sided,
            inverted=test.folded(total) != total and log10_p <= math.log10(alpha),
        )

    def _state(
        self, test: NullTest, alpha: float, log10_p: float, innocents: Innocents | None
    ) -> tuple[EvidenceState, str | None]:
        if test.key is None and not test.nulls:
            return "unclear", TOO_FEW
        if log10_p <= math.log10(alpha):
            refuted = innocents is not None and innocents.refute(alpha)
            return ("unclear", INNOCENTS_SCORE) if refuted else ("present", None)
        reaches = partial(null_tests.reaches_theta0, test, self.suspect.kind, self.suspect.n, alpha)
        if not reaches(self._reach(test)):  # also where this key can't separate a mark from its absence by any nulls
            return "absent", None
        scarce = not test.rests_on_key and reaches(test.folded(self.suspect.total))
        return "unclear", TOO_FEW if scarce else NEAR

    def _reach(self, test: NullTest) -> float:
        """The most that the mark may still score, at one-sided 95 %: of two sides, on the one where it is more."""
        total, n = self.suspect.total, self.suspect.n
        _, upper, _ = self.bounds
        if self.suspect.kind == "real":
            return upper
        return n * max(upper, tails.clopper_pearson_upper(n - int(total), n) if test.two_sided else 0.0)


@dataclass(frozen=True)
class Weighing:
    """A suspect and its nulls, read and scored: everything about its evidence that no alpha changes.

    views: the channel that the verdict rests on, and further views of the same question; none where the suspect can't
    be read, for the reason `unreadable`. example: the first null that was read.
    """

    views: Sequence[View]
    unreadable: str | None
    pools: Mapping[str, tails.NullPool | None]
    useless: Mapping[str, int]
    example: EvidenceScore | None
    read: dict[tuple[float, bool, bool], Evidence] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        observation: Mapping[str, Any],
        pools: Mapping[str, Nulls],
        *,
        search_bits: int = 0,
        useless: Mapping[str, int] | None = None,
    ) -> Weighing:
        """See `weigh`. useless: by pool, how many models were left out of it for not doing their task."""
        channel, out = observation["evidence"], useless or {}
        scored = {name: nulls.scored(channel) for name, nulls in pools.items()}
        shown = {name: one.pool for name, one in scored.items()}
        example = next((one.scores[0] for one in scored.values() if one.scores), None)
        if observation.get("unreadable") is not None:
            return cls((), observation["unreadable"], shown, out, example)
        views = [_view(observation, channel, scored, search_bits, out)]
        for name in observation.get("views", ()):
            seen = {pool: nulls.scored(name, all_have_it=False) for pool, nulls in pools.items()}
            views.append(_view(observation, name, seen, search_bits, out))
        return cls(tuple(views), None, shown, out, example)

    def at(self, alpha: float, *, strict: bool = False, brief: bool = False) -> Evidence:
        """The evidence read at one alpha; brief: what verdicts rest on, without all that only pages show."""
        if brief and (whole := self.read.get((alpha, strict, False))) is not None:
            return whole
        if (alpha, strict, brief) not in self.read:
            made = self._of_views(alpha, strict, brief) if self.views else self._unread(alpha)
            self.read[alpha, strict, brief] = made
        return self.read[alpha, strict, brief]

    def _of_views(self, alpha: float, strict: bool, brief: bool) -> Evidence:
        """The least p of k views counts k-fold (Bonferroni); the mark is absent where it is in every view."""
        k = len(self.views)
        found = [view.at(alpha / k, strict=strict, brief=brief) for view in self.views]
        if k == 1:
            return found[0]
        present = [one for one in found if one.state == "present"]
        unclear = [one for one in found if one.state == "unclear"]
        best = min(present or unclear or found, key=lambda one: one.log10_p)
        name = self.views[found.index(best)].channel
        totals = {view.channel: ChannelTotal(view.suspect.total, view.suspect.n) for view in self.views}
        return replace(best, log10_p=min(0.0, best.log10_p + math.log10(k)), view=name, tries=k, views=totals)

    def winnable(self, alpha: float, *, search_bits: int = 0, strict: bool = False) -> bool:
        """Whether any key could be present: one whose every item hits, where fresh keys hit nothing.

        search_bits: what every claimant is charged; what this key is charged beside it says nothing about others. True
        of a suspect that can't be read, which tells nothing about the test.
        """
        each, charge = alpha / max(1, len(self.views)), search_bits * math.log10(2.0)
        return not self.views or any(
            winnable(replace(view.test, charge=charge, strict=strict), view.suspect.kind, view.suspect.n, each)
            for view in self.views
        )

    def _unread(self, alpha: float) -> Evidence:
        n, kind = (self.example.n, self.example.kind) if self.example else (0, "count")
        own, printed = self.pools.get(OWN_POOL), _printed(self.pools, self.useless, alpha)
        mean = None if own is None else _mean(own)
        return Evidence(n=n, kind=kind, state="absent", reason=self.unreadable, pools=printed, null_mean=mean)


def _view(
    observation: Mapping[str, Any],
    channel: str,
    nulls: Mapping[str, ScoredNulls],
    search_bits: int,
    useless: Mapping[str, int],
) -> View:
    suspect = scores.score(observation, channel)
    pools = {name: one.pool for name, one in nulls.items()}
    for name, one in nulls.items():
        if one.scores and (one.scores[0].kind, one.scores[0].n) != (suspect.kind, suspect.n):
            raise ValueError(f"nulls of pool '{name}' were not scored on the suspect's {suspect.n} items")
    law = key_law(observation["channels"][channel].get("law"), suspect)
    counted = null_tests.counting({name: pool for name, pool in pools.items() if pool is not None})
    return View(channel, suspect, NullTest(law, counted, search_bits * math.log10(2.0)), pools, useless)


def _printed(
    pools: Mapping[str, tails.NullPool | None], useless: Mapping[str, int], alpha: float, view: View | None = None
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name, pool in pools.items():
        if pool is None:
            found[name] = {"J": 0, "mean": None, "max": None, "log10_p": None}
        else:
            log10_p = view.test.pool_p(view.suspect.total, pool, alpha) if view else 0.0
            found[name] = {"J": len(pool.totals), "mean": _mean(pool), "max": max(pool.totals), "log10_p": log10_p}
        if any(useless.values()):
            found[name]["useless"] = useless.get(name, 0)
    return found


@lru_cache(maxsize=8192)
def _mean(pool: tails.NullPool) -> float:
    return float(np.mean(pool.totals))
