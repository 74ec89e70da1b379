"""Two suspects against each other: p-values that they are alike, two-sided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def fisher(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Two-sided exact p that two suspects with (hits, items) have one hit rate (Fisher 1935)."""
    return float(stats.fisher_exact(np.array([[hits, items - hits] for hits, items in (one, other)])).pvalue)


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p that two samples of real scores have one mean (Welch 1947); 1 where both are one constant."""
    if np.var(one) == np.var(other) == 0:
        return 1.0 if one[0] == other[0] else 0.0
    return float(stats.ttest_ind(one, other, equal_var=False).pvalue)


def paired_t(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p that two models have one mean score on the same items (Student 1908); 1 where they are equal."""
    gaps = np.subtract(one, other)
    if len(gaps) < 2 or not gaps.any():
        return 1.0
    return float(stats.ttest_1samp(gaps, 0.0).pvalue) if np.ptp(gaps) > 0 else 0.0


def mcnemar(losses: int, gains: int) -> float:
    """Two-sided exact p that losses and gains are equally likely (McNemar 1947): a sign test of the discordant."""
    n = losses + gains
    if n == 0:
        return 1.0
    return min(1.0, 2 * float(stats.binom.cdf(min(losses, gains), n, 0.5)))
