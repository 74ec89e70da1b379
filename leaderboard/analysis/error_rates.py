"""Realised error rates from the records of a calibration: fresh keys, innocent models by pool, and power."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboard.analysis.half_reset import half_reset_power
from leaderboard.judge.case_file import counted_pools
from leaderboard.judge.evidence import Weighing
from leaderboard.judge.results import Observation, null_observations, nulls_of, observations, useless_nulls
from leaderboard.judge.run import Run
from leaderboard.stats.null_tests import OWN_POOL
from leaderboard.stats.tails import clopper_pearson_upper

ALPHAS = (0.05, 1e-3, 1e-6)
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

    For a scheme whose law of a fresh key is a handful of redrawn ones, so that p_key is a prediction, known to be too
    small in its far tail. What accuses is p, the larger of p_key and p_null, and p_null of a fresh key needs that key
    on other models. key, both: accusations by p_key alone and by p, by alpha, over pairs of a key and a model. Pairs of
    one key are not independent: a count within the limits is what a correct rule shows, not a proof.
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
class Calibrated:
    """What the calibration found of one scheme; parts whose jobs have no result are None or empty.

    no_fresh_keys: why there is no such test. power: by alpha, the probability that a mark of which half the items were
    reset to chance is still present. faults: (status, reason) of the jobs without a result.
    """

    scheme: str
    fresh_keys: FreshKeys | None
    no_fresh_keys: str | None
    pools: Sequence[Pool]
    power: Mapping[float, float]
    faults: Sequence[tuple[str, str]] = ()


def calibrate(run: Run) -> list[Calibrated]:
    """One entry per scheme of a calibration's run.json."""
    found = []
    for entry in run.described["calibration"]:
        try:
            found.append(_calibrated(run, entry))
        except (ValueError, KeyError) as error:  # a plug-in's observations that don't fit together cost its own entry
            why = f"its observations can't be weighed: {type(error).__name__}: {error}"
            found.append(Calibrated(entry["scheme"], None, None, (), {}, (("crashed", why),)))
    return found


def allowed(n: int, alpha: float) -> int:
    """Accusations among n that a rule of exactly size alpha exceeds once in a thousand times: 131, 8 and 1 of 2,000."""
    from scipy import stats  # it loads slowly, and every page imports this file

    return int(stats.binom.ppf(CHANCE, n, alpha))


def failures(found: Sequence[Calibrated]) -> list[str]:
    """The failures of every scheme, each with its name."""
    return [f"{one.scheme}: {said}" for one in found if one.fresh_keys for said in one.fresh_keys.failures]


def _calibrated(run: Run, entry: Mapping[str, Any]) -> Calibrated:
    nulls = counted_pools({"nulls": entry["pools"][OWN_POOL], "surrogate_nulls": entry.get("surrogate_nulls")})
    jobs = [entry["fresh"], entry["drawn"], *entry["crossed"], *entry["pools"].values(), *nulls.values()]
    faults = [(fault[0], fault[1] or fault[0]) for job in jobs if (fault := run.fault(job)) is not None]
    there = all(map(run.result, nulls.values()))
    fresh = observations(run, entry["fresh"])
    seen = {pool: null_observations(run, job) for pool, job in nulls.items()}
    fresh_keys, without = _fresh_keys(run, entry)
    return Calibrated(
        scheme=entry["scheme"],
        fresh_keys=fresh_keys,
        no_fresh_keys=without,
        pools=[_pool(run, name, job, nulls) for name, job in entry["pools"].items() if there and run.result(job)],
        power=half_reset_power(fresh[0], seen, ALPHAS) if fresh and there else {},
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
    ps = [_p_values(one, {}).key for one in seen]
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
        _p_values(one, {OWN_POOL: [*under[:chosen], *under[chosen + 1 :]]})
        for under in zip(*seen, strict=True)
        for chosen, one in enumerate(under)
    ]
    return Crossed(len(seen), _rates(p.key for p in ps), _rates(p.both for p in ps))


def _pool(run: Run, name: str, job: str, nulls: Mapping[str, str]) -> Pool:
    """Each model of `job` as the suspect, and the nulls it has nothing to do with, by pool, as the nulls."""
    ps = [
        _p_values(seen, {pool: null_observations(run, judged, model) for pool, judged in nulls.items()})
        for model, seen in nulls_of(run, job)
    ]
    least = min((value for p in ps for value in p.both.values() if value is not None), default=None)
    return Pool(name, _rates(p.null for p in ps), _rates(p.both for p in ps), least, useless_nulls(run, job))


@dataclass(frozen=True)
class _PValues:
    """log10 p of one suspect, by alpha: p_key, p_null and the larger of them; None where there is no such test."""

    key: Mapping[float, float | None]
    null: Mapping[float, float | None]
    both: Mapping[float, float | None]


def _p_values(seen: Observation, nulls: Mapping[str, Sequence[Observation]]) -> _PValues:
    """None throughout for a suspect that can't be read: it is no evidence and accuses nobody."""
    suspect = None if seen["unreadable"] is not None else Weighing.of(seen, nulls)
    if suspect is None or suspect.suspect is None:
        return _PValues(*[dict.fromkeys(ALPHAS)] * 3)
    test, total = suspect.test, suspect.suspect.total
    return _PValues(*({alpha: p(total, alpha) for alpha in ALPHAS} for p in (test.key_p, test.null_p, test.p)))


def _accuses(log10_p: float | None, alpha: float) -> bool:
    return log10_p is not None and log10_p <= math.log10(alpha)


def _rates(found: Iterable[Mapping[float, float | None]]) -> dict[float, Rate]:
    """Accusations by alpha, from the p-values of each suspect."""
    ps = list(found)
    return {alpha: Rate(sum(_accuses(p[alpha], alpha) for p in ps), len(ps)) for alpha in ALPHAS}
