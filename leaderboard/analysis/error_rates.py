"""Realised error rates from the records of a calibration: fresh keys, innocent models by pool, and power."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from leaderboard.analysis.half_reset import half_reset_power
from leaderboard.judge.case_file import counted_pools
from leaderboard.judge.evidence import OWN_POOL, Evidence, Weighing, weigh
from leaderboard.judge.results import null_models, nulls_of, observations, unrelated_nulls
from leaderboard.judge.run import Run
from leaderboard.stats.tails import clopper_pearson_upper

ALPHAS = (0.05, 1e-3, 1e-6)
CHANCE = 0.999  # a simulated check passes up to this quantile: "rate <= alpha" would fail a correct rule often
LEAST_FOR_ROC = 100

Observation = Mapping[str, Any]


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
    """Fresh admissible keys on innocent models. accused: by alpha, by p_key alone; fired: models that were ever
    accused at alpha. crossed: of schemes whose p_key accuses nobody by itself.
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
    def passed(self) -> bool:
        """Every key admissible, and no count above what chance allows of a correct rule."""
        return self.admissible == self.draws and all(
            rate.count <= allowed(rate.n, alpha) for alpha, rate in self.accusing.items()
        )


@dataclass(frozen=True)
class Crossed:
    """The same fresh keys on `models` nulls: each key accuses each of them, in turn, with the others as the nulls.

    For a scheme whose law of a fresh key is a handful of redrawn ones, so that p_key is a prediction, known to be too
    small in its far tail. What accuses is p, the larger of p_key and p_null, and p_null of a fresh key needs that key
    on other models; the owner's key on them says nothing about it. key, both: accusations by p_key alone and by p, by
    alpha, over pairs of a key and a model. Pairs of one key are not independent, so the limits are those of fewer
    draws than there are pairs: a count within them is what a correct rule shows, not a proof. p_null allows for how
    few nulls there are.
    """

    models: int
    key: Mapping[float, Rate]
    both: Mapping[float, Rate]


@dataclass(frozen=True)
class Pool:
    """Innocent models under the owner's key, each against the pools that count, without the nulls it is akin to.

    null: accusations by p_null alone; both: by p, the larger of p_null and p_key. By alpha, over models that do their
    task; useless: how many don't, and are left out.
    """

    name: str
    null: Mapping[float, Rate]
    both: Mapping[float, Rate]
    least_log10_p: float | None
    useless: int = 0


@dataclass(frozen=True)
class Roc:
    """Attacked marked against attacked unmarked models, by their totals under one key."""

    marked: int
    nulls: int
    auroc: float
    tpr: float  # at a false-positive rate of 1 % or less


@dataclass(frozen=True)
class Calibrated:
    """What the calibration found of one scheme; parts whose jobs have no result are None or empty, with a reason.

    power: by alpha, the probability that a mark of which half the items were reset to chance is still present.
    """

    scheme: str
    fresh_keys: FreshKeys | None
    no_fresh_keys: str | None  # why there is no such test, where there is none
    pools: Sequence[Pool]
    power: Mapping[float, float]
    roc: Roc | None
    faults: Sequence[tuple[str, str]] = ()  # (status, reason)


def calibrate(run: Run) -> list[Calibrated]:
    """One entry per scheme of a calibration's run.json."""
    return [_calibrated(run, entry) for entry in run.described["calibration"]]


def allowed(n: int, alpha: float) -> int:
    """Accusations among n that a rule of exactly size alpha exceeds once in a thousand times: 131, 8 and 1 of 2,000."""
    return int(stats.binom.ppf(CHANCE, n, alpha))


def failures(found: Sequence[Calibrated]) -> list[str]:
    """Where fresh keys accuse more often than chance allows of a correct rule, or are inadmissible, in words."""
    said = []
    for one in found:
        drawn = one.fresh_keys
        if drawn is None:
            continue
        if drawn.admissible < drawn.draws:
            said.append(f"{one.scheme}: {drawn.draws - drawn.admissible} of {drawn.draws} fresh keys are inadmissible")
        said += [
            f"{one.scheme}: {rate.count} of {rate.n} fresh keys accuse at {alpha:g}, {allowed(rate.n, alpha)} may"
            for alpha, rate in drawn.accusing.items()
            if rate.count > allowed(rate.n, alpha)
        ]
    return said


def _calibrated(run: Run, entry: Mapping[str, Any]) -> Calibrated:
    nulls = counted_pools({"nulls": entry["pools"][OWN_POOL], "surrogate_nulls": entry.get("surrogate_nulls")})
    jobs = [
        entry["fresh"],
        entry["drawn"],
        *entry["crossed"],
        *entry["pools"].values(),
        *nulls.values(),
        *filter(None, [entry["attacked_marked"]]),
    ]
    faults = [(fault[0], fault[1] or fault[0]) for job in jobs if (fault := run.fault(job)) is not None]
    there = all(map(run.result, nulls.values()))
    pools = [_pool(run, name, job, nulls) for name, job in entry["pools"].items() if there and run.result(job)]
    fresh = observations(run, entry["fresh"])
    fresh_keys, without = _fresh_keys(run, entry)
    return Calibrated(
        scheme=entry["scheme"],
        fresh_keys=fresh_keys,
        no_fresh_keys=without,
        pools=pools,
        power=half_reset_power(fresh[0], _all(run, nulls), ALPHAS) if fresh and there else {},
        roc=_roc(observations(run, entry["attacked_marked"]), observations(run, entry["pools"].get("attacked"))),
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
    if not any(_law(one) for one in seen):
        return None, "its fresh keys have no law, so none of them accuses by itself"
    accused, fired = {}, {}
    for alpha in ALPHAS:
        found = [_key_accuses(one, alpha) for one in seen]
        accused[alpha] = Rate(sum(found), len(found))
        fired[alpha] = len({model for model, hit in zip(models, found, strict=True) if hit})
    found_by_job = [run.result(one) for one in entry["crossed"]]
    results = [one for one in found_by_job if one is not None]
    if len(results) < len(found_by_job):
        return None, None
    crossed = cross([one["observations"] for one in results]) if results else None
    refused = max(len(one["observations"]) - one["admissible"] for one in (result, *results))
    admissible = len(seen) - refused
    return FreshKeys(len(seen), admissible, len(set(models)), accused, fired, crossed), None


def _law(seen: Observation) -> Mapping[str, Any] | None:
    law: Mapping[str, Any] | None = seen["channels"][seen["evidence"]].get("law")
    return law


def cross(seen: Sequence[Sequence[Observation]]) -> Crossed:
    """`seen`: for each model, what it showed under the same fresh keys in the same order."""
    key: dict[float, list[bool]] = {alpha: [] for alpha in ALPHAS}
    both: dict[float, list[bool]] = {alpha: [] for alpha in ALPHAS}
    pairs = ((under, chosen) for under in zip(*seen, strict=True) for chosen in range(len(under)))
    for under, chosen in pairs:
        nulls = [one for model, one in enumerate(under) if model != chosen]
        weighing = Weighing.of(under[chosen], {OWN_POOL: nulls})
        assert weighing.suspect is not None  # a job of fresh keys ends with a fault where a model can't be read
        total = weighing.suspect.total
        for alpha in ALPHAS:
            p_key, level = weighing.test.key_p(total, alpha), math.log10(alpha)
            key[alpha].append(p_key is not None and p_key <= level)
            both[alpha].append(weighing.test.p(total, alpha) <= level)
    return Crossed(len(seen), _rates(key), _rates(both))


def _key_accuses(seen: Observation, alpha: float) -> bool:
    """Whether p_key <= alpha; a key without a law accuses nobody by itself."""
    log10_p = weigh(seen, {}, alpha).log10_p_key
    return log10_p is not None and bool(log10_p <= np.log10(alpha))


def _all(run: Run, nulls: Mapping[str, str]) -> dict[str, list[Observation]]:
    return {pool: [seen for _, seen in nulls_of(run, job)] for pool, job in nulls.items()}


def _pool(run: Run, name: str, job: str, nulls: Mapping[str, str]) -> Pool:
    """Each model of `job` as the suspect, and the nulls it has nothing to do with, by pool, as the nulls."""
    null: dict[float, list[bool]] = {alpha: [] for alpha in ALPHAS}
    both: dict[float, list[bool]] = {alpha: [] for alpha in ALPHAS}
    least: float | None = None
    able = nulls_of(run, job)
    for model, seen in able:
        others = {pool: unrelated_nulls(run, judged, model) for pool, judged in nulls.items()}
        for alpha in ALPHAS:
            found = _weighed(seen, others, alpha)
            level = np.log10(alpha)
            null[alpha].append(found is not None and bool((found.log10_p_null or 0.0) <= level))
            both[alpha].append(found is not None and bool(found.log10_p <= level))
            if found is not None:
                least = found.log10_p if least is None else min(least, found.log10_p)
    return Pool(name, _rates(null), _rates(both), least, len(null_models(run, job)) - len(able))


def _weighed(seen: Observation, nulls: Mapping[str, Sequence[Observation]], alpha: float) -> Evidence | None:
    """None for a suspect that can't be read: it is no evidence and accuses nobody."""
    return None if seen["unreadable"] is not None else weigh(seen, nulls, alpha)


def _rates(found: Mapping[float, Sequence[bool]]) -> dict[float, Rate]:
    return {alpha: Rate(sum(hits), len(hits)) for alpha, hits in found.items()}


def _roc(marked: Sequence[Observation], nulls: Sequence[Observation]) -> Roc | None:
    """None with fewer than 100 nulls: 1 % of them would be none."""
    readable = [one for one in nulls if one["unreadable"] is None]
    if len(readable) < LEAST_FOR_ROC or not marked:
        return None
    ours, theirs = np.array([_total(one) for one in marked]), np.array([_total(one) for one in readable])
    above = (ours[:, None] > theirs).mean() + (ours[:, None] == theirs).mean() / 2
    threshold = np.sort(theirs)[::-1][len(theirs) // 100]
    return Roc(len(ours), len(theirs), float(above), float((ours > threshold).mean()))


def _total(seen: Observation) -> float:
    """The total of the channel that counts; an unreadable suspect is no evidence."""
    if seen["unreadable"] is not None:
        return -np.inf
    items = seen["channels"][seen["evidence"]]
    return float(items["hits"].count("1")) if "hits" in items else float(np.mean(items["values"]))
