"""Tails, intervals and the prediction rule that every verdict rests on.

Tails are log10 probabilities and stay finite where the probability itself would underflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special  # scipy.stats would cost every command a second

LN10 = math.log(10.0)
CONFIDENCE = 0.95
FAMILY_LEVEL = 0.05  # what adjusted p-values (see `holm`) are held against
LEAST_FOR_PREDICTION = 8  # with fewer nulls their spread is too uncertain: ranks only


@lru_cache(maxsize=1024)
def binomial_tails(n: int, p: float) -> NDArray[np.float64]:
    """log10 P(Bin(n, p) >= t) for t = 0..n, an array of n + 1 values, read-only: every key of one size shares it."""
    hits = np.arange(n + 1)
    ways = special.gammaln(n + 1) - (special.gammaln(hits + 1) + special.gammaln(n - hits + 1))
    tails = _tails(ways + special.xlogy(hits, p) + special.xlog1py(n - hits, -p))
    tails.flags.writeable = False
    return tails


def poisson_binomial_tails(probabilities: Sequence[float]) -> NDArray[np.float64]:
    """log10 P(S >= t) for t = 0..n, S the hits among n independent items with their own probabilities.

    By n convolutions, in logarithms. A total that cannot occur has -inf.
    """
    logpmf = np.zeros(1)
    with np.errstate(divide="ignore"):
        hit, miss = np.log(probabilities), np.log1p(-np.asarray(probabilities, dtype=float))
    for log_hit, log_miss in zip(hit, miss, strict=True):
        missed = np.append(logpmf + log_miss, -np.inf)
        logpmf = np.logaddexp(missed, np.append(-np.inf, logpmf + log_hit))
    return _tails(logpmf)


def _tails(logpmf: NDArray[np.float64]) -> NDArray[np.float64]:
    # summed from the far end, smallest terms first; scipy's logsf underflows to -inf there
    summed = np.logaddexp.accumulate(logpmf[::-1])[::-1]
    return np.minimum(summed, 0.0) / LN10


def rarity(log10_p: float) -> float:
    """A p-value in bits, -log2 p. Of p_key under P(Bin(s, 1/c) >= m): the rarity R of Kallas & Furon 2022 (RoSe)."""
    return -log10_p / math.log10(2.0)


def log10_t_tail(x: float, df: float) -> float:
    """log10 P(t_df >= x), also where the probability is below 1e-308."""
    direct = float(special.stdtr(df, -x))
    if direct > 1e-250:
        return math.log10(direct)
    # I_z(a, 1/2) / 2 by its hypergeometric series, z = df / (df + x^2), a = df / 2 (DLMF 8.17.7)
    a = df / 2
    log_z = -2.0 * math.log(math.hypot(1.0, x / math.sqrt(df)))
    series = math.log(special.hyp2f1(a, 0.5, a + 1.0, math.exp(log_z)))
    return (a * log_z - math.log(2.0 * a) - float(special.betaln(a, 0.5)) + series) / LN10


def log10_normal_tail(z: float) -> float:
    """log10 P(N(0, 1) >= z), also where the probability is below 1e-308."""
    return float(special.log_ndtr(-z)) / LN10


def anscombe(total: float, n: int) -> float:
    """arcsin sqrt((T + 3/8) / (n + 3/4)): nearly constant variance at every rate (Anscombe 1948)."""
    return math.asin(math.sqrt((total + 0.375) / (n + 0.75)))


def anscombe_floor(n: int) -> float:
    """Binomial standard deviation of `anscombe`, 1 / sqrt(4n + 2): the least spread nulls are given."""
    return 1.0 / math.sqrt(4 * n + 2)


def wilson(k: int, n: int) -> tuple[float, float]:
    """Two-sided 95 % interval of a rate, k hits out of n (Wilson 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    z2 = float(special.ndtri(0.5 + CONFIDENCE / 2)) ** 2
    centre = (k + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (k * (n - k) / n + z2 / 4)) / (n + z2)
    return (0.0 if k == 0 else centre - half), (1.0 if k == n else centre + half)


def clopper_pearson_upper(k: int, n: int) -> float:
    """One-sided 95 % upper bound of a rate, k hits out of n (Clopper & Pearson 1934); 1 for k = n."""
    return 1.0 if k == n else float(special.betaincinv(k + 1, n - k, CONFIDENCE))


def bound_of_none(n: int) -> float:
    """What none of n bounds: the one-sided 95 % upper bound of the rate, 1 - 0.05^(1/n)."""
    return clopper_pearson_upper(0, n)


def t_interval(mean: float, sd: float, n: int) -> tuple[float, float]:
    """Two-sided 95 % Student-t interval of the mean of n values; unbounded for n = 1."""
    if n < 2:
        return -math.inf, math.inf
    half = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * sd / math.sqrt(n)
    return mean - half, mean + half


def t_upper(mean: float, sd: float, n: int) -> float:
    """One-sided 95 % upper Student-t bound of the mean of n values; inf for n = 1."""
    return math.inf if n < 2 else mean + float(special.stdtrit(n - 1, CONFIDENCE)) * sd / math.sqrt(n)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for all being claimed together, in their order (Holm, Scand. J. Statist. 6 (1979) 65)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


@dataclass(frozen=True)
class NullPool:
    """The totals of J independent nulls, and their spread on the scale where they are judged.

    n: the number of items for counts, which are judged after `anscombe`; None for real scores, judged as they are.
    centre, sd: mean and standard deviation (ddof 1, 0 for J = 1) on that scale; floor: the least spread.
    """

    totals: tuple[float, ...]
    n: int | None
    floor: float
    centre: float
    sd: float

    @cached_property
    def _hash(self) -> int:
        return hash((self.totals, self.n, self.floor))

    def __hash__(self) -> int:
        return self._hash  # reckoned once: what is kept of a pool is looked up by the million

    @classmethod
    def of_counts(cls, totals: Sequence[int], n: int) -> NullPool:
        """Nulls that are hits out of n."""
        return cls._of(totals, [anscombe(total, n) for total in totals], n, anscombe_floor(n))

    @classmethod
    def of_scores(cls, totals: Sequence[float], floor: float) -> NullPool:
        """Nulls that are mean real scores; `floor`: median within-model standard deviation / sqrt(items)."""
        return cls._of(totals, totals, None, floor)

    @classmethod
    def _of(cls, totals: Sequence[float], scaled: Sequence[float], n: int | None, floor: float) -> NullPool:
        if not totals:
            raise ValueError("a pool needs at least one null")
        sd = float(np.std(scaled, ddof=1)) if len(scaled) > 1 else 0.0
        return cls(tuple(totals), n, floor, float(np.mean(scaled)), sd)

    @property
    def spread(self) -> float:
        """s* = max(s, f)."""
        return max(self.sd, self.floor)

    def scaled(self, total: float) -> float:
        """The total on the scale of `centre` and `sd`."""
        return total if self.n is None else anscombe(total, self.n)


@lru_cache(maxsize=131072)
def log10_prediction(total: float, nulls: NullPool, alpha: float) -> float:
    """log10 p of one more null scoring `total` or more.

    p_pred is the Student-t prediction bound (Hahn & Meeker, Statistical Intervals), p_rank the share of
    nulls, the suspect among them, that score at least as much. Both count (the larger one) where ranks can
    reach alpha or the total is within the nulls; beyond them p_pred counts alone. With fewer than 8 nulls, or
    without any spread, p_rank counts alone.
    """
    j, rank = len(nulls.totals), log10_rank(total, nulls)
    if j < LEAST_FOR_PREDICTION or nulls.spread == 0.0:
        return rank
    distance = (nulls.scaled(total) - nulls.centre) / (nulls.spread * math.sqrt(1 + 1 / j))
    pred = log10_t_tail(distance, j - 1)
    return max(pred, rank) if ranks_reach(j, alpha) or total <= max(nulls.totals) else pred


def log10_rank(total: float, nulls: NullPool) -> float:
    """log10 of the rank p-value, (1 + k) / (J + 1) with k of the J nulls at `total` or above (Phipson & Smyth 2010)."""
    return math.log10((1 + sum(other >= total for other in nulls.totals)) / (len(nulls.totals) + 1))


def ranks_reach(j: int, alpha: float) -> bool:
    """Whether the least rank p-value among j nulls, 1 / (j + 1), is alpha or less."""
    return 1.0 / (j + 1) <= alpha


@lru_cache(maxsize=131072)
def log10_unlimited(total: float, nulls: NullPool) -> float:
    """log10 p of a total if the spread of the nulls were known: N(0, 1) in place of t, s* alone, no ranks."""
    above = nulls.scaled(total) - nulls.centre
    if nulls.spread == 0.0:
        return -math.inf if above > 0 else 0.0
    return log10_normal_tail(above / nulls.spread)


def least_score(enough: Callable[[float], bool], start: float, step: float) -> float | None:
    """Least real score from which on `enough` holds, not below `start`; None where it never does."""
    if not enough(math.inf):
        return None
    low = start
    while not enough(low + step):
        step *= 2.0
    high = low + step
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
