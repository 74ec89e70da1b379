"""What several seeds allow: closed forms, worked numbers, and coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from leaderboard.stats.seeds import (
    cell_variance,
    difference_p,
    lower_bound,
    mean_interval,
    sign_p,
    what_seeds_allow,
    worst_case,
)
from leaderboard.stats.tails import holm


@pytest.mark.parametrize(("scores", "half"), [((0.70, 0.80, 0.75), 0.124), ((0.70, 0.80, 0.75, 0.72, 0.78), 0.051)])
def test_the_interval_between_seeds(scores: tuple[float, ...], half: float) -> None:
    found = mean_interval(scores, [], [])
    assert found is not None
    assert found[1] - np.mean(scores) == pytest.approx(half, abs=5e-4)
    assert np.mean(scores) - found[0] == pytest.approx(half, abs=5e-4)


def test_seeds_that_agree_keep_the_width_of_their_cells() -> None:
    found = mean_interval([1.0] * 3, [1 / 30] * 30, [3] * 30)
    assert found is not None
    assert found[0] == pytest.approx(1 - 0.0529, abs=5e-5)
    assert found[1] == 1.0
    assert mean_interval([1.0] * 2, [1.0], [2]) is None


def test_a_cells_variance_is_that_of_jeffreys_posterior() -> None:
    for k, m in ((0, 1), (3, 3), (2, 5), (17, 20)):
        assert cell_variance(k, m) == pytest.approx(stats.beta(k + 0.5, m - k + 0.5).var())


@pytest.mark.parametrize(("m", "bound"), [(1, 0.050), (3, 0.368), (5, 0.549), (10, 0.741), (20, 0.861)])
def test_the_worst_case_where_every_seed_held(m: int, bound: float) -> None:
    assert worst_case([m] * 7, m) == pytest.approx(bound, abs=5e-4)
    assert worst_case([m], m) == pytest.approx(0.05 ** (1 / m))


def test_a_lower_bound_is_clopper_pearsons() -> None:
    assert lower_bound(0, 5) == 0.0
    assert stats.binom.sf(2, 5, lower_bound(3, 5)) == pytest.approx(0.05)
    assert worst_case([5, 3, 4], 5) == lower_bound(3, 5)


def test_the_worst_case_rarely_exceeds_the_least_true_rate() -> None:
    """Twelve attacks; the plain minimum of k/m is biased down, the bound is valid without correction."""
    rng = np.random.default_rng(1)
    rates = np.array([0.6, *np.linspace(0.7, 0.95, 11)])
    for m in (3, 5, 20):
        table = [lower_bound(k, m) for k in range(m + 1)]
        held = rng.binomial(m, rates, (4000, len(rates)))
        worst = np.array(table)[held].min(1)
        assert (worst > rates.min()).sum() <= stats.binom.ppf(0.999, 4000, 0.05)
        assert (held / m).min(1).mean() < rates.min()


@pytest.mark.parametrize(("m", "together", "least"), [(3, 0.0, 930), (3, 2.0, 890), (5, 0.0, 930), (5, 2.0, 920)])
def test_the_mean_interval_covers(m: int, together: float, least: int) -> None:
    """together: how much a good seed helps every attack, on the logit scale; strong effects and 3 seeds give .91."""
    rng = np.random.default_rng(2)
    centres = np.linspace(-1.0, 2.0, 12)
    wide = rng.normal(size=(100_000, 1)) * together
    truth = (1 / (1 + np.exp(-(centres + wide)))).mean()
    covered = 0
    for _ in range(1000):
        p = 1 / (1 + np.exp(-(centres + rng.normal(size=(m, 1)) * together)))
        held = rng.random((m, 12)) < p
        low, high = mean_interval(list(held.mean(1)), [1 / 12] * 12, list(held.sum(0)))  # type: ignore[misc]
        covered += low <= truth <= high
    assert covered >= least


def test_two_schemes_are_told_apart_at_the_stated_rate() -> None:
    rng = np.random.default_rng(3)
    weights, m = [1 / 10] * 10, 5
    wrong = 0
    for _ in range(2000):
        one, other = rng.random((2, m, 10)) < 0.6
        p = difference_p(list(one.mean(1)), list(other.mean(1)), weights, list(one.sum(0)), list(other.sum(0)))
        wrong += p <= 0.05
    assert wrong <= stats.binom.ppf(0.999, 2000, 0.05)


def test_a_difference_is_a_paired_t_test() -> None:
    first, second = [0.9, 0.7, 0.8, 0.75, 0.95], [0.5, 0.45, 0.3, 0.4, 0.35]
    assert difference_p(first, second, [], [], []) == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert difference_p(first[:2], second[:2], [], [], []) == 1.0
    # equal gaps have no spread between seeds: the cells' own remains
    p = difference_p([1.0] * 3, [0.0] * 3, [1.0], [3], [0])
    assert p == pytest.approx(2 * stats.t.sf(1 / math.sqrt(2 * cell_variance(3, 3)), 2))


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_what_seeds_allow() -> None:
    assert "no rates and no ranks" in what_seeds_allow(1)
    assert "no ranks" in what_seeds_allow(2)
    assert "nearly always ties" in what_seeds_allow(3)
    assert f"1/{round(1 / sign_p(5, 0))}." in what_seeds_allow(5)
