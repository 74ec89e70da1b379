"""Tails against known numbers, intervals against exact coverage, and the size of the prediction rule."""

import math

import numpy as np
import pytest
from scipy import stats

from leaderboard.stats.tails import (
    NullPool,
    anscombe,
    anscombe_floor,
    binomial_tails,
    clopper_pearson_upper,
    log10_normal_tail,
    log10_prediction,
    log10_t_tail,
    poisson_binomial_tails,
    rarity,
    t_interval,
    t_upper,
    wilson,
)

from ..conftest import NULL_HITS, NULL_HITS_400


@pytest.mark.parametrize(
    ("n", "p", "total", "tail"),
    [
        (100, 0.1, 20, 1.979e-3),
        (100, 0.1, 21, 8.076e-4),
        (40, 0.1, 12, 3.808e-4),
        (40, 0.1, 16, 5.928e-7),
        (40, 0.1, 40, 1e-40),
        (96, 0.5, 64, 7.122e-4),
        (96, 0.5, 72, 4.850e-7),
        (96, 0.5, 93, 1.862e-24),
        (96, 0.5, 96, 1.262e-29),
        (896, 0.5, 495, 9.373e-4),
        (896, 0.5, 520, 8.461e-7),
    ],
)
def test_binomial_tail(n: int, p: float, total: int, tail: float) -> None:
    assert 10 ** binomial_tails(n, p)[total] == pytest.approx(tail, rel=6e-4)


def test_binomial_tail_does_not_underflow() -> None:
    assert binomial_tails(100, 0.1)[96] == pytest.approx(-89.588, abs=5e-4)
    assert binomial_tails(1000, 0.1)[1000] == pytest.approx(-1000.0, abs=1e-9)
    assert binomial_tails(1000, 0.1)[0] == pytest.approx(0.0, abs=1e-12)


def test_poisson_binomial_tail_of_an_excluded_class() -> None:
    tails = poisson_binomial_tails([1 / 9] * 30 + [0.0] * 10)
    assert 10 ** tails[12] == pytest.approx(4.423e-5, rel=2e-4)
    assert tails[30] == pytest.approx(-30 * math.log10(9), abs=1e-9)
    assert tails[31] == -math.inf


def test_poisson_binomial_agrees_with_binomial_where_all_items_are_alike() -> None:
    np.testing.assert_allclose(poisson_binomial_tails([0.1] * 300), binomial_tails(300, 0.1), atol=1e-9)


def test_poisson_binomial_tail_of_unlike_items() -> None:
    # P(S >= 2) for .5, .2, 1: the last item always hits, so one of the others has to
    np.testing.assert_allclose(10 ** poisson_binomial_tails([0.5, 0.2, 1.0]), [1, 1, 0.6, 0.1])


@pytest.mark.parametrize("x", [-3.0, 0.0, 1.0, 30.0, 1e124, 1e126, 1e150])
def test_t_tail_with_two_degrees_of_freedom_is_algebraic(x: float) -> None:
    """P(t_2 >= x) = (1 - x / sqrt(x^2 + 2)) / 2, written without cancellation; 1e-250 lies between 1e124 and 1e126."""
    root = math.hypot(x, math.sqrt(2))
    assert log10_t_tail(x, 2) == pytest.approx(-math.log10(root) - math.log10(root + x), abs=1e-9)


@pytest.mark.parametrize(("x", "df", "tail"), [(6.313752, 1, 0.05), (2.997952, 7, 0.01), (3.300283, 1000, 0.0005)])
def test_t_tail_of_tabled_quantiles(x: float, df: int, tail: float) -> None:
    assert 10 ** log10_t_tail(x, df) == pytest.approx(tail, rel=1e-5)


@pytest.mark.parametrize(
    ("x", "df", "log10_tail"),
    [(1e8, 59, -421.0462217393345), (60.0, 999, -333.0633329327206), (1e30, 15, -442.1736840287131)],
)
def test_t_tail_below_the_least_float(x: float, df: int, log10_tail: float) -> None:
    assert log10_t_tail(x, df) == pytest.approx(log10_tail, abs=1e-9)  # computed with 60 digits


def test_normal_tail() -> None:
    assert 10 ** log10_normal_tail(1.6448536269514722) == pytest.approx(0.05)
    # -x^2 / 2 - log(x sqrt(2 pi)) up to log(1 - 1 / x^2)
    leading = -5000 - math.log(100 * math.sqrt(2 * math.pi))
    assert log10_normal_tail(100.0) == pytest.approx(leading / math.log(10), abs=1e-4)


def test_tails_of_infinity() -> None:
    assert log10_t_tail(math.inf, 7) == -math.inf
    assert log10_normal_tail(math.inf) == -math.inf


def test_prediction_where_the_floor_rules() -> None:
    pool = NullPool.of_counts(NULL_HITS, 100)
    assert pool.centre == pytest.approx(0.30558, abs=5e-6)
    assert pool.sd == pytest.approx(0.04106, abs=5e-6)
    assert pool.spread == anscombe_floor(100) == pytest.approx(0.04988, abs=5e-6)
    for total, p in [(21, 2.117e-3), (23, 8.170e-4), (25, 3.272e-4)]:
        assert 10 ** log10_prediction(total, pool, 1e-3) == pytest.approx(p, rel=3e-4)
    assert log10_prediction(96, pool, 1e-3) == pytest.approx(-11.966, abs=5e-4)


def test_prediction_where_the_nulls_spread_more() -> None:
    pool = NullPool.of_counts(NULL_HITS_400, 400)
    assert pool.centre == pytest.approx(0.53045, abs=5e-6)
    assert pool.sd == pool.spread == pytest.approx(0.03128, abs=5e-6)
    assert 10 ** log10_prediction(140, pool, 1e-3) == pytest.approx(3.038e-3, rel=3e-4)
    assert log10_prediction(398, pool, 1e-3) == pytest.approx(-14.354, abs=5e-4)


def test_prediction_of_real_scores() -> None:
    pool = NullPool.of_scores([0.03, 0.04, 0.04, 0.02, 0.06, 0.01, 0.05, 0.03], floor=0.01)
    assert pool.centre == pytest.approx(0.035)
    assert pool.spread == pytest.approx(0.01604, abs=5e-6)
    for total, p in [(0.10, 3.26e-3), (0.19, 1.97e-5), (0.78, 4.22e-10)]:
        assert 10 ** log10_prediction(total, pool, 1e-3) == pytest.approx(p, rel=2e-3)


def test_within_the_nulls_the_rank_counts_too() -> None:
    """30 is as much as one null of 16 shows, 31 is more than any: there the prediction counts alone."""
    pool = NullPool.of_counts([9] * 15 + [30], 100)
    distance = (anscombe(31, 100) - pool.centre) / (pool.spread * math.sqrt(17 / 16))
    assert 10 ** log10_prediction(30, pool, 1e-3) == pytest.approx(2 / 17)
    assert log10_prediction(31, pool, 1e-3) == log10_t_tail(distance, 15) < math.log10(1 / 17)


def test_ranks_that_reach_alpha_count_beyond_the_nulls() -> None:
    pool = NullPool.of_counts([9, 10] * 10, 100)
    assert 10 ** log10_prediction(90, pool, 0.05) == pytest.approx(1 / 21)
    assert log10_prediction(90, pool, 0.04) < -10


def test_a_rank_p_may_equal_alpha() -> None:
    for j in (19, 999):
        pool = NullPool.of_counts([50] * j, 100)
        assert log10_prediction(100, pool, 1 / (j + 1)) <= math.log10(1 / (j + 1))


def test_few_nulls_only_rank() -> None:
    assert 10 ** log10_prediction(96, NullPool.of_counts([9] * 7, 100), 1e-3) == pytest.approx(1 / 8)
    assert log10_prediction(96, NullPool.of_counts([9] * 8, 100), 1e-3) < -6


def test_nulls_without_any_spread_only_rank() -> None:
    assert 10 ** log10_prediction(0.9, NullPool.of_scores([0.1] * 9, floor=0.0), 1e-3) == pytest.approx(0.1)


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one null"):
        NullPool.of_counts([], 100)


# Sizes measured for J = 16 and 20: at most .042 at .05 and 1.2e-3 at 1e-3; at most 2e-6 at 1e-6.
@pytest.mark.parametrize("j", [16, 20])
@pytest.mark.parametrize("dispersed", [False, True], ids=["binomial", "beta-binomial"])
def test_size_of_the_prediction_rule(j: int, dispersed: bool) -> None:
    draws, n = 4000, 100
    rng = np.random.default_rng(20 + j)
    rate = rng.beta(5, 45, (draws, j + 1)) if dispersed else 0.1
    totals = rng.binomial(n, rate, (draws, j + 1)).tolist()
    accused = {0.05: 0, 1e-3: 0}
    deep = 0
    for suspect, *nulls in totals:
        pool = NullPool.of_counts(nulls, n)
        for alpha in accused:
            accused[alpha] += log10_prediction(suspect, pool, alpha) <= math.log10(alpha)
        deep += log10_prediction(suspect, pool, 1e-6) <= -6
    for alpha, bound in [(0.05, 0.042), (1e-3, 1.2e-3)]:
        assert accused[alpha] <= stats.binom.ppf(0.999, draws, bound)
    assert deep <= stats.binom.ppf(0.999, draws, 2e-6)
    assert accused[0.05] > 0


@pytest.mark.parametrize(("n", "least"), [(20, 0.925), (100, 0.933)])
def test_exact_coverage_of_wilson(n: int, least: float) -> None:
    low, high = np.transpose([wilson(k, n) for k in range(n + 1)])
    rates = np.arange(0.02, 0.981, 0.01)
    covers = (low <= rates[:, None]) & (rates[:, None] <= high)
    coverage = (stats.binom.pmf(np.arange(n + 1), n, rates[:, None]) * covers).sum(axis=1)
    assert 0.950 <= round(coverage.mean(), 3) <= 0.953
    assert round(coverage.min(), 3) == least


@pytest.mark.parametrize(("n", "low"), [(1, 0.21), (3, 0.44), (5, 0.57), (10, 0.72), (20, 0.84)])
def test_wilson_of_all_and_of_none(n: int, low: float) -> None:
    assert wilson(n, n) == (pytest.approx(low, abs=5e-3), 1.0)
    assert wilson(0, n) == (0.0, pytest.approx(1 - low, abs=5e-3))


@pytest.mark.parametrize(
    ("m", "s", "bits"),
    [
        (40, 40, 132.9), (64, 64, 212.6), (128, 128, 425.2),  # full match: s log2 10
        (33, 40, 86), (37, 40, 110), (34, 40, 91), (35, 40, 97),  # Tables I and II where m / s is printed exactly
        (57, 64, 161), (113, 128, 314), (41, 64, 82), (107, 128, 279),  # one match fewer than what they print
    ],
)  # fmt: skip
def test_rarity_in_bits(m: int, s: int, bits: float) -> None:
    """The paper floors R; its rows with a rounded rate give one match too many, 6 bits."""
    found = rarity(float(binomial_tails(s, 0.1)[m]))
    assert math.floor(found) == bits or found == pytest.approx(bits, abs=0.05)
    assert rarity(math.log10(1 / 8)) == pytest.approx(3)


def test_wilson_of_nothing_is_no_knowledge() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("j", "bound"), [(16, 0.171), (20, 0.139), (60, 0.0487), (299, 0.0100)])
def test_clopper_pearson_bound_of_no_hit(j: int, bound: float) -> None:
    assert clopper_pearson_upper(0, j) == pytest.approx(1 - 0.05 ** (1 / j)) == pytest.approx(bound, rel=4e-3)


def test_clopper_pearson_bound() -> None:
    assert clopper_pearson_upper(13, 100) == pytest.approx(0.1987, abs=5e-5)
    assert stats.binom.cdf(13, 100, clopper_pearson_upper(13, 100)) == pytest.approx(0.05)
    assert clopper_pearson_upper(100, 100) == 1.0


def test_student_bounds() -> None:
    assert t_interval(1.0, 2.0, 16) == (pytest.approx(1 - 2.1314495 / 2), pytest.approx(1 + 2.1314495 / 2))
    assert t_upper(1.0, 2.0, 16) == pytest.approx(1 + 1.7530504 / 2)
    assert t_interval(1.0, 0.0, 1) == (-math.inf, math.inf)
    assert t_upper(1.0, 0.0, 1) == math.inf


def test_anscombe() -> None:
    assert anscombe(9.625, 99) == pytest.approx(math.asin(math.sqrt(10 / 99.75)))
