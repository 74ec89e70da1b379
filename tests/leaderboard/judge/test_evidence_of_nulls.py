"""What unmarked models and fresh keys are worth as evidence: of many, few, none, and those that can't be read."""

import math

import numpy as np
import pytest
from scipy import stats

from leaderboard.judge.evidence import weigh
from leaderboard.stats.tails import NullPool, log10_prediction

from ..conftest import NULL_HITS
from .weighing import BITS, UNIFORM, count_pool, hits, scores


def test_fresh_keys_answer_by_the_prediction_rule() -> None:
    law = {"kind": "redrawn", "totals": NULL_HITS}
    found = weigh(hits(96, 100, law), {"clean": count_pool([9] * 16, 100)}, 1e-3)
    assert found.log10_p_key == log10_prediction(96, NullPool.of_counts(NULL_HITS, 100), 1e-3)
    assert found.grade == "extrapolated"
    assert found.theta0 == 23  # p_key as it is reaches 1e-3 at 23, p_null in its N(0,1) form before that
    assert weigh(hits(96, 100, law), {"clean": count_pool([9] * 16, 100)}, 0.06).grade == "ranked"


def test_other_pools_only_add() -> None:
    clean = count_pool(NULL_HITS, 100)
    high = count_pool([30, 28, 33, 31, 29, 35, 27, 30], 100)
    alone = weigh(hits(40, 100, UNIFORM), {"clean": clean}, 1e-3, strict=True)
    both = weigh(hits(40, 100, UNIFORM), {"clean": clean, "ftal": high}, 1e-3, strict=True)
    assert (alone.state, both.state) == ("present", "unclear")
    assert both.log10_p_null == both.pools["ftal"]["log10_p"]
    assert both.theta is not None
    assert both.theta > 40
    low = weigh(hits(40, 100, UNIFORM), {"clean": clean, "ftal": count_pool([0] * 16, 100)}, 1e-3, strict=True)
    assert low.log10_p == alone.log10_p


def test_a_small_pool_is_printed_and_does_not_count() -> None:
    pools = {"clean": count_pool(NULL_HITS, 100), "ftal": count_pool([38] * 7, 100)}
    found = weigh(hits(40, 100, UNIFORM), pools, 1e-3)
    assert found.state == "present"
    ranked = pytest.approx(math.log10(1 / 8))
    assert found.pools["ftal"] == {"J": 7, "mean": 38.0, "max": 38, "log10_p": ranked}
    assert found.pools["clean"]["J"] == 16


def test_other_pools_never_replace_the_clean_one() -> None:
    pools = {"clean": [], "ftal": count_pool(NULL_HITS, 100)}
    found = weigh(hits(96, 100), pools, 1e-3)
    assert (found.log10_p_null, found.log10_p) == (None, 0.0)
    assert (found.state, found.reason) == ("unclear", "too few nulls")
    assert found.pools["clean"] == {"J": 0, "mean": None, "max": None, "log10_p": None}
    assert found.pools["ftal"]["J"] == 16


def test_few_clean_nulls_only_rank() -> None:
    pools = {"clean": count_pool(NULL_HITS[:7], 100)}
    found = weigh(hits(96, 100), pools, 1e-3)
    assert found.log10_p == pytest.approx(math.log10(1 / 8))
    assert (found.theta, found.state, found.reason) == (None, "unclear", "too few nulls")
    assert weigh(hits(9, 100), pools, 1e-3).state == "absent"
    assert weigh(hits(96, 100), pools, 0.125).state == "present"


@pytest.mark.parametrize("nulls", [0, 3, 16])
def test_an_exact_law_never_lacks_nulls(nulls: int) -> None:
    pools = {"clean": count_pool(NULL_HITS[:nulls], 100)}
    assert {weigh(hits(total, 100, UNIFORM), pools, 1e-3).reason for total in range(101)} == {
        None,
        "near the threshold",
    }


def test_without_nulls_the_key_counts_alone() -> None:
    found = weigh(hits(21, 100, UNIFORM), {}, 1e-3)
    assert (found.log10_p_null, found.theta, found.theta0, found.state) == (None, 21, 21, "present")
    assert found.null_mean is None


def test_without_nulls_and_key_nothing_is_known() -> None:
    for observation in (hits(100, 100), scores(0.9), hits(100, 100, {"kind": "redrawn", "totals": []})):
        found = weigh(observation, {"clean": []}, 1e-3)
        assert (found.log10_p, found.theta, found.theta0) == (0.0, None, None)
        assert (found.state, found.reason) == ("unclear", "too few nulls")


def test_an_unreadable_suspect_is_no_evidence() -> None:
    suspect = {"evidence": "bits", "channels": {}, "gates": {}, "unreadable": "the layer's shape changed"}
    found = weigh(suspect, {"clean": count_pool(NULL_HITS, 100)}, 1e-3)
    assert (found.total, found.n, found.log10_p, found.state) == (0, 100, 0.0, "absent")
    assert found.reason == "the layer's shape changed"
    assert found.pools["clean"]["J"] == 16


def test_unreadable_nulls_are_left_out() -> None:
    unreadable = {"evidence": "bits", "channels": {}, "gates": {}, "unreadable": "another architecture"}
    pools = {"clean": [*count_pool(NULL_HITS, 100), unreadable]}
    assert weigh(hits(96, 100), pools, 1e-3).pools["clean"]["J"] == 16


def test_scarce_fresh_keys_do_not_manufacture_a_removal() -> None:
    law = {"kind": "redrawn", "totals": [9, 8, 10]}
    found = weigh(hits(96, 100, law), {"clean": count_pool(NULL_HITS, 100)}, 1e-3)
    assert (found.theta, found.state, found.reason) == (None, "unclear", "too few nulls")
    assert weigh(hits(9, 100, law), {"clean": count_pool(NULL_HITS, 100)}, 1e-3).state == "absent"


def test_unmarked_models_refute_only_where_they_are_enough() -> None:
    """Of 999 nulls the rank reaches 1e-3: one that scores as high makes it 2e-3. Of 16 it warns."""
    few = weigh(hits(30, 100, UNIFORM), {"clean": count_pool([30, *NULL_HITS[1:]], 100)}, 1e-3)
    assert (few.state, few.warned) == ("present", True)
    assert few.innocents is not None
    assert (few.innocents.as_high, few.innocents.of, few.innocents.rank_p) == (1, 16, 2 / 17)
    many = weigh(hits(30, 100, UNIFORM), {"clean": count_pool([30] + [9] * 998, 100)}, 1e-3)
    assert (many.state, many.reason) == ("unclear", "unmarked models score as high")
    for nulls in (998, 999):
        none = weigh(hits(30, 100, UNIFORM), {"clean": count_pool([9] * nulls, 100)}, 1e-3)
        assert (none.state, none.warned) == ("present", False)


def test_innocents_are_counted_on_both_sides() -> None:
    found = weigh(hits(10, 96, BITS), {"clean": count_pool([86, 48, 50, 9, 11], 96)}, 1e-3)
    assert found.innocents is not None
    assert (found.innocents.as_high, found.innocents.of, found.warned) == (2, 5, True)


@pytest.mark.parametrize(("more", "reached", "p"), [(980, 0, 1 / 1000), (980, 1, 2 / 1000), (981, 0, 1 / 1001)])
def test_enough_fresh_keys_give_a_rank(more: int, reached: int, p: float) -> None:
    law = {"kind": "redrawn", "totals": [9] * 19, "more": more, "reached": reached}
    found = weigh(hits(96, 100, law), {"clean": count_pool(NULL_HITS, 100)}, 1e-3)
    assert found.log10_p_key == pytest.approx(math.log10(p))
    assert (found.state == "present") == (p <= 1e-3)
    assert (found.grade, found.key_grade) == ("ranked", "ranked")
    assert found.theta is not None
    assert (found.theta <= 96) == (found.state == "present")
    far = weigh(hits(96, 100, law), {"clean": count_pool(NULL_HITS, 100)}, 1e-6)
    assert far.key_grade == ("ranked" if reached else "extrapolated")  # one as high: no p below its rank is shown


def test_drawing_may_stop_when_enough_keys_have_reached_the_total() -> None:
    """The p of a suspect like any other, with 19 keys first and a stop at the fifth: at most alpha that often."""
    rng, alphas = np.random.default_rng(1), (0.05, 0.01, 1e-3)
    small = dict.fromkeys(alphas, 0)
    for _ in range(4000):
        totals = rng.binomial(300, 0.05, 1000)
        own, first, later = int(totals[0]), totals[1:20], totals[20:]
        reached = int((first >= own).sum())
        more = 0
        if reached < 5:
            places = np.flatnonzero(later >= own)
            more = int(places[4 - reached]) + 1 if len(places) >= 5 - reached else len(later)
        law = {"kind": "redrawn", "totals": first.tolist(), "more": more, "reached": int((later[:more] >= own).sum())}
        for alpha in alphas:
            key_p = weigh(hits(own, 300, law), {}, alpha).log10_p_key
            assert key_p is not None
            small[alpha] += key_p <= math.log10(alpha)
    assert all(count <= stats.binom.ppf(0.999, 4000, alpha) for alpha, count in small.items()), small
    assert small[0.05] > 50
