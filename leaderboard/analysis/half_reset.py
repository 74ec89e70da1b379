"""Power against a mark of which a random half of the items was reset to chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from leaderboard.judge.evidence import OWN_POOL, weigh
from leaderboard.judge.results import Observation


def half_reset_power(
    fresh: Observation,
    pools: Mapping[str, Sequence[Observation]],
    alphas: Sequence[float],
    *,
    strict: bool = False,
) -> dict[float, float]:
    """P(present), by alpha, after a random half of the mark's items was reset to chance, in closed form.

    Hits that stay are hypergeometric, hits among the reset items binomial at the rate of a fresh key (of the nulls,
    where there is no such law). Real scores: see `_half_scores`. pools, strict: as in `weigh`. Empty for an unreadable
    model. Of several views, the one that shows the mark best counts alone: a lower bound.
    """
    from scipy import stats  # it loads slowly, and every page imports this file

    power: dict[float, float] = {}
    if fresh["unreadable"] is not None:
        return power
    for alpha in alphas:
        found = weigh(fresh, pools, alpha, strict=strict)
        if found.kind == "real":
            power[alpha] = _half_scores(fresh, pools, alpha)
            continue
        law = fresh["channels"][found.view or fresh["evidence"]].get("law") or {}
        chance = float(np.mean(law["p"])) if "p" in law else (found.null_mean or 0.0) / found.n
        reset = found.n // 2
        kept = stats.hypergeom.pmf(np.arange(found.n + 1), found.n, int(found.total), found.n - reset)
        needed = np.inf if found.theta is None else found.theta
        redrawn = stats.binom.sf(needed - np.arange(found.n + 1) - 1, reset, chance)
        if found.two_sided:
            redrawn = redrawn + stats.binom.cdf(found.n - needed - np.arange(found.n + 1), reset, chance)
        power[alpha] = float(kept @ redrawn)
    return power


def _half_scores(fresh: Observation, pools: Mapping[str, Sequence[Observation]], alpha: float) -> float:
    """A random half of the items takes the scores that a clean null has on them: each in turn, left out of the test.

    The total is the null's mean plus a sum over the kept items, drawn without replacement, of how much more the mark
    scores than the null: normal, with the variance of such a sample (Cochran, Sampling Techniques, section 2.5).
    """
    found = []
    readable = [null for null in pools[OWN_POOL] if null["unreadable"] is None]
    for index, null in enumerate(readable):
        theta = weigh(fresh, {**pools, OWN_POOL: readable[:index] + readable[index + 1 :]}, alpha).theta
        if theta is None:
            found.append(0.0)
            continue
        chance = np.asarray(null["channels"][fresh["evidence"]]["values"], dtype=np.float64)
        more = np.asarray(fresh["channels"][fresh["evidence"]]["values"], dtype=np.float64) - chance
        n, kept = len(more), len(more) - len(more) // 2
        mean = chance.mean() + more.mean() * kept / n
        sd = np.sqrt(kept * (1 - kept / n)) * more.std(ddof=1) / n if n > 1 else 0.0
        found.append(float(special.ndtr((mean - theta) / sd)) if sd > 0 else float(mean >= theta))
    return float(np.mean(found)) if found else 0.0
