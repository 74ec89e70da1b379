"""Realised error rates from the records of a calibration: fresh keys, innocent models by pool, and power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from leaderboard.evidence import OWN_POOL, Evidence, weigh
from leaderboard.jobs import null_models, nulls_of, observations
from leaderboard.run import Run
from leaderboard.statistics import clopper_pearson_upper

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
    """Fresh admissible keys on innocent models. accused: by alpha; fired: models that were ever accused at alpha."""

    draws: int
    admissible: int
    models: int
    accused: Mapping[float, Rate]
    fired: Mapping[float, int]

    @property
    def passed(self) -> bool:
        """Every key admissible, and no count above what chance allows of a correct rule."""
        return self.admissible == self.draws and all(
            rate.count <= allowed(rate.n, alpha) for alpha, rate in self.accused.items()
        )


@dataclass(frozen=True)
class Pool:
    """Innocent models under the owner's key, each against the clean nulls without the model it is or stems from.

    null: accusations by p_null alone; both: by p, the larger of p_null and p_key. By alpha, over models.
    """

    name: str
    null: Mapping[float, Rate]
    both: Mapping[float, Rate]
    least_log10_p: float | None


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


def _calibrated(run: Run, entry: Mapping[str, Any]) -> Calibrated:
    jobs = [entry["fresh"], entry["drawn"], *entry["pools"].values(), *filter(None, [entry["attacked_marked"]])]
    faults = [(fault[0], fault[1] or fault[0]) for job in jobs if (fault := run.fault(job)) is not None]
    clean = entry["pools"][OWN_POOL]
    nulls = [seen for _, seen in nulls_of(run, clean)] if run.result(clean) else []
    pools = [_pool(run, name, job, clean) for name, job in entry["pools"].items() if nulls and run.result(job)]
    fresh = observations(run, entry["fresh"])
    return Calibrated(
        scheme=entry["scheme"],
        fresh_keys=_fresh_keys(run, entry["drawn"]),
        pools=pools,
        power=half_reset_power(fresh[0], nulls) if fresh and nulls else {},
        roc=_roc(observations(run, entry["attacked_marked"]), observations(run, entry["pools"].get("attacked"))),
        faults=tuple(dict.fromkeys(faults)),
    )


def _fresh_keys(run: Run, job: str) -> FreshKeys | None:
    result = run.result(job)
    if result is None:
        return None
    seen, models = result["observations"], result["models"]
    accused, fired = {}, {}
    for alpha in ALPHAS:
        found = [_key_accuses(one, alpha) for one in seen]
        accused[alpha] = Rate(sum(found), len(found))
        fired[alpha] = len({model for model, hit in zip(models, found, strict=True) if hit})
    return FreshKeys(len(seen), result["admissible"], len(set(models)), accused, fired)


def _key_accuses(seen: Observation, alpha: float) -> bool:
    """Whether p_key <= alpha; a key without a law accuses nobody by itself."""
    log10_p = weigh(seen, {}, alpha).log10_p_key
    return log10_p is not None and bool(log10_p <= np.log10(alpha))


def _pool(run: Run, name: str, job: str, clean: str) -> Pool:
    """Each model of `job` as the suspect, and the clean nulls it has nothing to do with as the nulls."""
    owned = nulls_of(run, clean)
    null: dict[float, list[bool]] = {alpha: [] for alpha in ALPHAS}
    both: dict[float, list[bool]] = {alpha: [] for alpha in ALPHAS}
    least: float | None = None
    for model, seen in zip(null_models(run, job), observations(run, job), strict=True):
        stem = set(run.ancestors(model))
        others = [one for other, one in owned if other not in stem]
        for alpha in ALPHAS:
            found = _weighed(seen, others, alpha)
            level = np.log10(alpha)
            null[alpha].append(found is not None and bool((found.log10_p_null or 0.0) <= level))
            both[alpha].append(found is not None and bool(found.log10_p <= level))
            if found is not None:
                least = found.log10_p if least is None else min(least, found.log10_p)
    return Pool(name, _rates(null), _rates(both), least)


def _weighed(seen: Observation, nulls: Sequence[Observation], alpha: float) -> Evidence | None:
    """None for a suspect that can't be read: it is no evidence and accuses nobody."""
    return None if seen["unreadable"] is not None else weigh(seen, {OWN_POOL: nulls}, alpha)


def _rates(found: Mapping[float, Sequence[bool]]) -> dict[float, Rate]:
    return {alpha: Rate(sum(hits), len(hits)) for alpha, hits in found.items()}


def half_reset_power(fresh: Observation, nulls: Sequence[Observation]) -> dict[float, float]:
    """P(present), by alpha, after a random half of the mark's items was reset to chance, in closed form.

    Hits that stay are hypergeometric, hits among the reset items binomial at the rate of a fresh key (of the nulls,
    where there is no such law). Empty for real scores and unreadable models.
    """
    power: dict[float, float] = {}
    for alpha in ALPHAS:
        found = _weighed(fresh, nulls, alpha)
        if found is None or found.kind != "count":
            return {}
        law = fresh["channels"][fresh["evidence"]].get("law") or {}
        chance = float(np.mean(law["p"])) if "p" in law else (found.null_mean or 0.0) / found.n
        reset = found.n // 2
        kept = stats.hypergeom.pmf(np.arange(found.n + 1), found.n, int(found.total), found.n - reset)
        needed = np.inf if found.theta is None else found.theta
        redrawn = stats.binom.sf(needed - np.arange(found.n + 1) - 1, reset, chance)
        power[alpha] = float(kept @ redrawn)
    return power


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
