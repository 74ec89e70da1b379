"""Inference from several seeds: intervals of mean scores, worst cases, and which of two schemes is above.

A seed redraws host, key and attack together, so seeds are the independent units and the attacks of one seed are
not. Numbers and coverages: see the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from leaderboard.stats.tails import CONFIDENCE

LEAST_FOR_INTERVAL = 3
MOST_SEEDS = 1000  # that anybody would run to tell two schemes apart


def cell_variance(held: float, seeds: int) -> float:
    """Variance of a cell's survival rate, `held` of `seeds`: that of Beta(held + 1/2, seeds - held + 1/2).

    The posterior under Jeffreys' prior: positive also where every seed agrees.
    """
    return (held + 0.5) * (seeds - held + 0.5) / ((seeds + 1) ** 2 * (seeds + 2))


def mean_interval(
    scores: Sequence[float], weights: Sequence[float], held: Sequence[float]
) -> tuple[float, float] | None:
    """95 % interval of a mean score in [0, 1]; None with fewer than 3 seeds.

    scores: one per seed. weights, held: of each attack, its share of the score and the seeds that held. The
    half-width is the larger of Student's t over the seeds and 1.96 standard errors of the cells: few seeds that agree
    by chance would otherwise give no width. It covers .93 and more, .91 where 3 seeds differ strongly (see the tests);
    a bootstrap of 3 seeds covers .73.
    """
    m = len(scores)
    if m < LEAST_FOR_INTERVAL:
        return None
    between = float(special.stdtrit(m - 1, 0.5 + CONFIDENCE / 2)) * _sd(scores) / math.sqrt(m)
    within = float(special.ndtri(0.5 + CONFIDENCE / 2)) * math.sqrt(_spread(weights, held, m))
    mean, half = float(np.mean(scores)), max(between, within)
    return max(0.0, mean - half), min(1.0, mean + half)


def lower_bound(held: int, seeds: int) -> float:
    """One-sided 95 % lower bound of a survival rate (Clopper & Pearson 1934): .05^(1/m) where all m held."""
    return 0.0 if held == 0 else float(special.betaincinv(held, seeds - held + 1, 1 - CONFIDENCE))


def worst_case(held: Sequence[int], seeds: int) -> float:
    """L: the least of the attacks' lower bounds, each with the same number of seeds.

    L exceeds the least true rate with probability 5 % at most, however many attacks there are: it would have to
    for the attack with that rate, too. So no correction for the number of attacks is due.
    """
    return min(lower_bound(k, seeds) for k in held)


def difference_p(
    first: Sequence[float],
    second: Sequence[float],
    weights: Sequence[float],
    first_held: Sequence[float],
    second_held: Sequence[float],
) -> float:
    """Two-sided p-value of equal mean scores, from the seeds that two schemes share; 1 with fewer than 3.

    first, second: their scores seed by seed. The standard error is the larger of the one between seeds and the
    one within cells, as in `mean_interval`; t with m - 1 degrees of freedom.
    """
    m = len(first)
    if m < LEAST_FOR_INTERVAL:
        return 1.0
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    within = math.sqrt(_spread(weights, first_held, m) + _spread(weights, second_held, m))
    t = float(np.mean(gaps)) / max(_sd(gaps) / math.sqrt(m), within)
    return 2.0 * float(special.stdtr(m - 1, -abs(t)))


def sign_p(wins: int, losses: int) -> float:
    """Two-sided exact p of the sign test: of pairs that differ, wins and losses fall out with 1/2 each.

    Seeds are the pairs, and those without a difference are left out; with one case per seed it is McNemar's exact test
    (Psychometrika 12 (1947) 153). 1 where nothing differs.
    """
    n, less = wins + losses, min(wins, losses)
    return min(1.0, 2.0 * float(special.bdtr(less, n, 0.5))) if n else 1.0


def seeds_to_separate(wins: int, losses: int, seeds: int, level: float) -> int | None:
    """How many seeds `sign_p` would need to reach `level` if further seeds fell out as these; `seeds` at the least.

    None where wins don't outnumber losses, or no more than 1,000 seeds would be enough.
    """
    if wins <= losses:
        return None
    for m in range(seeds, MOST_SEEDS + 1):
        if sign_p(wins * m // seeds, -(-losses * m // seeds)) <= level:
            return m
    return None


def what_seeds_allow(seeds: int) -> str:
    """One sentence on what may be inferred from so many seeds."""
    if seeds == 1:
        return "One seed: counts of this run, no rates and no ranks."
    if seeds < LEAST_FOR_INTERVAL:
        return f"{seeds} seeds: counts of this run over all seeds, no intervals of scores and no ranks."
    if seeds < 5:
        return f"{seeds} seeds: intervals, and ranks that are nearly always ties."
    least = 2 ** (seeds - 1)
    return f"{seeds} seeds: intervals and ranks; were signs alone compared, no p-value could be below 1/{least}."


def _spread(weights: Sequence[float], held: Sequence[float], seeds: int) -> float:
    return sum(w * w * cell_variance(k, seeds) for w, k in zip(weights, held, strict=True))


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1))
