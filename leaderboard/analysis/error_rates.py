"""Realised error rates from the records of a calibration: fresh keys, innocent models by pool, and power."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from leaderboard.analysis.half_reset import half_reset_power
from leaderboard.judge.case_file import counted_pools
from leaderboard.judge.evidence import INNOCENTS_SCORE, View, Weighing
from leaderboard.judge.nulls import Nulls
from leaderboard.judge.results import Observation, null_observations, nulls_of, observations, useless_nulls
from leaderboard.judge.run import Run
from leaderboard.stats.null_tests import OWN_POOL, Grade
from leaderboard.stats.tails import clopper_pearson_upper

ALPHAS = (0.05, 1e-3, 1e-6)
_NONE: tuple[float | None, Grade] = (None, "exact")  # no suspect was read
CHANCE = 0.999  # a simulated check passes up to this quantile: "rate <= alpha" would fail a correct rule often


@dataclass(frozen=True)
class Rate:
    """`count` accusations among `n`, with the one-sided 95 % Clopper-Pearson bound of the rate."""

    count: int
    n: int

    @property
    def bound(self) -> float:
        return clopper_pearson_upper(self.count, self.n)


@dataclass(frozen=True)
class FreshKeys:
    """Fresh keys on innocent models, by alpha.

    accused: by p_key alone; fired: models that were ever accused. crossed: of schemes whose p_key accuses nobody by
    itself.
    """

    draws: int
    admissible: int
    models: int
    accused: Mapping[float, Rate]
    fired: Mapping[float, int]
    crossed: Crossed | None = None

    @property
    def accusing(self) -> Mapping[float, Rate]:
        """The counts by the p that accuses, which the limits are for."""
        return self.accused if self.crossed is None else self.crossed.both

    @property
    def failures(self) -> list[str]:
        """Inadmissible keys, and counts above what chance allows of a correct rule, in words."""
        refused = self.draws - self.admissible
        said = [f"{refused} of {self.draws} fresh keys are inadmissible"] if refused else []
        for alpha, rate in self.accusing.items():
            if rate.count > (most := allowed(rate.n, alpha)):
                said.append(f"{rate.count} of {rate.n} fresh keys accuse at {alpha:g}, {most} may")
        return said

    @property
    def passed(self) -> bool:
        return not self.failures


@dataclass(frozen=True)
class Crossed:
    """The same fresh keys on `models` nulls: each key accuses each of them, in turn, with the others as the nulls.

    For a scheme whose law of a fresh key is that of redrawn ones: what accuses is the larger of p_key and p_null, and
    p_null of a fresh key needs that key on other models. key, both: accusations by p_key alone and by p, by alpha, over
    pairs of a key and a model. Pairs of one key are not independent: a count within the limits is what a correct rule
    shows, not a proof.
    """

    models: int
    key: Mapping[float, Rate]
    both: Mapping[float, Rate]


@dataclass(frozen=True)
class Pool:
    """Innocent models under the owner's key, each against the pools that count, without the nulls it is akin to.

    null: accusations by p_null alone; both: by p; strict: by the larger of p_null and p_key, whatever the law. By
    alpha, over models that do their task; useless: how many don't, and are left out. least_log10_p: the
    smallest p at the first alpha; least_grade: how it is known.
    """

    name: str
    null: Mapping[float, Rate]
    both: Mapping[float, Rate]
    strict: Mapping[float, Rate]
    least_log10_p: float | None
    least_grade: Grade
    useless: int = 0


@dataclass(frozen=True)
class Calibrated:
    """What the calibration found of one scheme; parts whose jobs have no result are None or empty.

    no_fresh_keys: why there is no such test. power: by alpha, the probability that a mark of which half the items were
    reset to chance is still present; strict_power: the same under a strict reading. faults: (status, reason) of the
    jobs without a result.
    """

    scheme: str
    fresh_keys: FreshKeys | None
    no_fresh_keys: str | None
    pools: Sequence[Pool]
    power: Mapping[float, float]
    strict_power: Mapping[float, float]
    faults: Sequence[tuple[str, str]] = ()


def calibrate(run: Run) -> list[Calibrated]:
    """One entry per scheme of a calibration's run.json."""
    found = []
    for entry in run.described["calibration"]:
        try:
            found.append(_calibrated(run, entry))
        except (ValueError, KeyError) as error:  # a plug-in's observations that don't fit together cost its own entry
            why = f"its observations can't be weighed: {type(error).__name__}: {error}"
            found.append(Calibrated(entry["scheme"], None, None, (), {}, {}, (("crashed", why),)))
    return found


def allowed(n: int, alpha: float) -> int:
    """Accusations among n that a rule of exactly size alpha exceeds once in a thousand times: 131, 8 and 1 of 2,000."""
    from scipy import stats  # it loads slowly, and every page imports this file

    return int(stats.binom.ppf(CHANCE, n, alpha))


def failures(found: Sequence[Calibrated]) -> list[str]:
    """The failures of every scheme, each with its name."""
    return [f"{one.scheme}: {said}" for one in found if one.fresh_keys for said in one.fresh_keys.failures]


def _calibrated(run: Run, entry: Mapping[str, Any]) -> Calibrated:
    others = {role: entry.get(role) for role in ("surrogate_nulls", "scratch_nulls")}
    nulls = counted_pools({"nulls": entry["pools"][OWN_POOL], **others})
    jobs = [entry["fresh"], entry["drawn"], *entry["crossed"], *entry["pools"].values(), *nulls.values()]
    faults = [(fault[0], fault[1] or fault[0]) for job in jobs if (fault := run.fault(job)) is not None]
    there = all(map(run.result, nulls.values()))
    fresh = observations(run, entry["fresh"])
    seen = {pool: null_observations(run, job) for pool, job in nulls.items()}
    fresh_keys, without = _fresh_keys(run, entry)
    power, strict_power = (
        half_reset_power(fresh[0], seen, ALPHAS, strict=strict) if fresh and there else {} for strict in (False, True)
    )
    return Calibrated(
        scheme=entry["scheme"],
        fresh_keys=fresh_keys,
        no_fresh_keys=without,
        pools=[_pool(run, name, job, nulls) for name, job in entry["pools"].items() if there and run.result(job)],
        power=power,
        strict_power=strict_power,
        faults=tuple(dict.fromkeys(faults)),
    )


def _fresh_keys(run: Run, entry: Mapping[str, Any]) -> tuple[FreshKeys | None, str | None]:
    """The counts, or why there is no such test; neither where the job has no result."""
    job = entry["drawn"]
    result = run.result(job)
    if result is None:
        status, reason = run.fault(job) or ("", None)
        return None, (reason or status) if status == "not-applicable" else None
    seen, models = result["observations"], result["models"]
    if not any(one["channels"][one["evidence"]].get("law") for one in seen):
        return None, "its fresh keys have no law, so none of them accuses by itself"
    ps = [p_values(one, {}).key for one in seen]
    both = list(zip(models, ps, strict=True))
    fired = {alpha: len({model for model, p in both if _accuses(p[alpha], alpha)}) for alpha in ALPHAS}
    results = [one for job in entry["crossed"] if (one := run.result(job)) is not None]
    if len(results) < len(entry["crossed"]):
        return None, None
    crossed = cross([one["observations"] for one in results]) if results else None
    refused = max(len(one["observations"]) - one["admissible"] for one in (result, *results))
    return FreshKeys(len(seen), len(seen) - refused, len(set(models)), _rates(ps), fired, crossed), None


def cross(seen: Sequence[Sequence[Observation]]) -> Crossed:
    """`seen`: for each model, what it showed under the same fresh keys in the same order."""
    ps = [
        p_values(one, {OWN_POOL: [*under[:chosen], *under[chosen + 1 :]]})
        for under in zip(*seen, strict=True)
        for chosen, one in enumerate(under)
    ]
    return Crossed(len(seen), _rates(p.key for p in ps), _rates(p.both for p in ps))


def _pool(run: Run, name: str, job: str, nulls: Mapping[str, str]) -> Pool:
    """Each model of `job` as the suspect, and the nulls it has nothing to do with, by pool, as the nulls."""
    ps = [
        p_values(seen, {pool: null_observations(run, judged, model) for pool, judged in nulls.items()})
        for model, seen in nulls_of(run, job)
    ]
    first = ALPHAS[0]
    least, grade = min(((found, p.grade) for p in ps if (found := p.both[first]) is not None), default=_NONE)
    null, both, strict = (_rates(getattr(p, kind) for p in ps) for kind in ("null", "both", "strict"))
    return Pool(name, null, both, strict, least, grade, useless_nulls(run, job))


ByAlpha = Mapping[float, float | None]


@dataclass(frozen=True)
class PValues:
    """log10 p of one suspect, by alpha, each kind reckoned when it is asked for.

    None where there is no such test, where unmarked models refute the evidence, and throughout for a suspect that can't
    be read: it is no evidence and accuses nobody.
    """

    suspect: Weighing

    @cached_property
    def key(self) -> ByAlpha:
        """By fresh keys alone."""
        return self._least(lambda view, alpha: view.test.key_p(view.suspect.total, alpha))

    @cached_property
    def null(self) -> ByAlpha:
        """By unmarked models alone."""
        return self._least(lambda view, alpha: view.test.null_p(view.suspect.total, alpha))

    @cached_property
    def both(self) -> ByAlpha:
        """What decides."""
        return self._deciding(False)

    @cached_property
    def strict(self) -> ByAlpha:
        """What decides under a strict reading."""
        return self._deciding(True)

    @property
    def grade(self) -> Grade:
        """How that which decides is known, at the first alpha."""
        return self.suspect.at(ALPHAS[0]).grade

    def _least(self, p: Callable[[View, float], float | None]) -> ByAlpha:
        tries = len(self.suspect.views)
        found = {alpha: [p(view, alpha / tries) for view in self.suspect.views] for alpha in ALPHAS}
        known = {alpha: [one for one in some if one is not None] for alpha, some in found.items()}
        return {alpha: min(0.0, min(some) + math.log10(tries)) if some else None for alpha, some in known.items()}

    def _deciding(self, strict: bool) -> ByAlpha:
        if not self.suspect.views:
            return dict.fromkeys(ALPHAS)
        found = {alpha: self.suspect.at(alpha, strict=strict, brief=True) for alpha in ALPHAS}
        return {alpha: None if one.reason == INNOCENTS_SCORE else one.log10_p for alpha, one in found.items()}


def p_values(seen: Observation, nulls: Mapping[str, Sequence[Observation]]) -> PValues:
    """Of a suspect, and its nulls by pool."""
    read = nulls if seen["unreadable"] is None else {}  # else it names no channel of theirs
    return PValues(Weighing.of(seen, {name: Nulls(name, members) for name, members in read.items()}))


def _accuses(log10_p: float | None, alpha: float) -> bool:
    return log10_p is not None and log10_p <= math.log10(alpha)


def _rates(found: Iterable[Mapping[float, float | None]]) -> dict[float, Rate]:
    """Accusations by alpha, from the p-values of each suspect."""
    ps = list(found)
    return {alpha: Rate(sum(_accuses(p[alpha], alpha) for p in ps), len(ps)) for alpha in ALPHAS}
