"""The sequential test: it errs as seldom as it says, stops early at a mark, and is what its integral says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from leaderboard.stats.sequential import items_needed, log10_mixture, stopped


@pytest.mark.parametrize("p", [0.1, 0.01, 0.5])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_whoever_stops_when_he_likes_errs_with_probability_alpha_at_most(p: float, alpha: float) -> None:
    """Exact: the probability of every path that has not stopped, item by item."""
    alive, wrong = {0: 1.0}, 0.0
    for n in range(1, 301):
        after = dict[int, float]()
        for hits, mass in alive.items():
            for more, share in ((1, p), (0, 1 - p)):
                after[hits + more] = after.get(hits + more, 0.0) + mass * share
        stop = {hits for hits in after if log10_mixture(hits, n, p) >= -math.log10(alpha)}
        wrong += sum(after.pop(hits) for hits in stop)
        alive = after
    assert alpha / 20 < wrong <= alpha


@pytest.mark.parametrize(("hits", "n", "p"), [(7, 20, 0.1), (0, 5, 0.1), (20, 20, 0.5), (3, 20, 0.5), (50, 100, 0.1)])
def test_it_is_the_average_likelihood_ratio(hits: int, n: int, p: float) -> None:
    low = 0.0 if p == 0.5 else p

    def ratio(q: float) -> float:
        return (q / p) ** hits * ((1 - q) / (1 - p)) ** (n - hits) / (1 - low)

    assert log10_mixture(hits, n, p) == pytest.approx(math.log10(quad(ratio, low, 1.0, limit=200)[0]), abs=1e-6)


def test_bits_are_known_by_their_misses_too() -> None:
    assert log10_mixture(3, 40, 0.5) == pytest.approx(log10_mixture(37, 40, 0.5))
    assert log10_mixture(3, 40, 0.1) < 0


def test_it_stops_early_at_a_mark_and_never_without_one() -> None:
    whole = stopped([True] * 100, 0.1, 0.001)
    assert (whole.items, whole.needed) == (100, items_needed(1.0, 0.1, 0.001)) == (100, 4)
    assert whole.log10_e == pytest.approx(100 - math.log10(101 * 0.9))
    chance = np.random.default_rng(1).random(100) < 0.1
    assert stopped(chance.tolist(), 0.1, 0.001).needed is None
    half = items_needed(0.5, 0.1, 0.001)
    assert half is not None
    assert 4 < half < 20
    assert items_needed(0.0, 0.1, 0.001) is None
