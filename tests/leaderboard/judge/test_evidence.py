"""Suspects weighed against known nulls: p-values, thresholds, the three states and their reasons."""

import math
from typing import Any

import pytest
from scipy import stats

from leaderboard.judge.evidence import Evidence, weigh
from leaderboard.stats.tails import (
    NullPool,
    binomial_tails,
    clopper_pearson_upper,
    log10_prediction,
    poisson_binomial_tails,
    wilson,
)

from ..conftest import NULL_HITS, NULL_HITS_400

NULLS_REAL = [0.03, 0.04, 0.04, 0.02, 0.06, 0.01, 0.05, 0.03]
UNIFORM = {"kind": "binomial", "p": 0.1}


def observed(channel: dict[str, Any]) -> dict[str, Any]:
    channels = {"bits": channel, "carried": {"hits": "1111"}}
    return {"evidence": "bits", "channels": channels, "gates": {}, "unreadable": None}


def hits(total: int, n: int, law: dict[str, Any] | None = None) -> dict[str, Any]:
    channel: dict[str, Any] = {"hits": "1" * total + "0" * (n - total)}
    return observed(channel if law is None else {**channel, "law": law})


def scores(mean: float, sd: float = 0.01, n: int = 64) -> dict[str, Any]:
    """n values with exactly this mean and standard deviation."""
    step = sd * math.sqrt((n - 1) / n)
    return observed({"values": [mean - step, mean + step] * (n // 2)})


def count_pool(totals: list[int], n: int) -> list[dict[str, Any]]:
    return [hits(total, n) for total in totals]


def trigger_set(total: int, alpha: float = 1e-3, **options: Any) -> Evidence:
    return weigh(hits(total, 100, UNIFORM), {"clean": count_pool(NULL_HITS, 100)}, alpha, **options)


def test_thresholds_of_a_trigger_set() -> None:
    found = trigger_set(96)
    assert (found.theta, found.theta0) == (23, 21)
    assert found.log10_p_key == binomial_tails(100, 0.1)[96]
    assert found.log10_p_null == found.log10_p == log10_prediction(96, NullPool.of_counts(NULL_HITS, 100), 1e-3)
    assert (found.total, found.n, found.rate, found.kind, found.grade) == (96, 100, 0.96, "count", "exact")
    assert found.null_mean == sum(NULL_HITS) / 16


def test_states_of_a_trigger_set() -> None:
    states = [trigger_set(total).state for total in range(101)]
    assert states == ["absent"] * 14 + ["unclear"] * 9 + ["present"] * 78
    assert trigger_set(13).upper == clopper_pearson_upper(13, 100)
    assert [trigger_set(total).reason for total in (13, 14, 20, 21, 22, 23)] == [
        None,
        "near the threshold",
        "near the threshold",
        "too few nulls",
        "too few nulls",
        None,
    ]


def test_thresholds_without_a_key_test() -> None:
    found = weigh(hits(398, 400), {"clean": count_pool(NULL_HITS_400, 400)}, 1e-3)
    assert (found.theta, found.theta0) == (147, 138)
    assert found.log10_p_key is None
    assert found.log10_p == found.log10_p_null == log10_prediction(398, NullPool.of_counts(NULL_HITS_400, 400), 1e-3)
    assert found.grade == "extrapolated"


@pytest.mark.parametrize(("matches", "theta", "theta0"), [(3, 13, 12), (7, 19, 16)])
def test_published_agreements_move_the_threshold(matches: int, theta: int, theta0: int) -> None:
    # labels drawn at random agree with the truth on c of 40 images, and every accurate innocent scores c
    found = weigh(hits(matches, 40, UNIFORM), {"clean": count_pool([matches] * 16, 40)}, 1e-3)
    assert (found.theta, found.theta0, found.state) == (theta, theta0, "absent")
    assert found.log10_p == 0.0  # ties: as ordinary as can be


def test_real_scores() -> None:
    pools = {"clean": [scores(mean) for mean in NULLS_REAL]}
    found = weigh(scores(0.78), pools, 1e-3)
    assert found.theta == pytest.approx(0.1164, abs=5e-5)
    assert found.theta0 == pytest.approx(0.0846, abs=5e-5)
    floor = 0.01 / math.sqrt(64)  # every null's own spread over its items
    assert found.log10_p == pytest.approx(log10_prediction(0.78, NullPool.of_scores(NULLS_REAL, floor), 1e-3))
    assert (found.kind, found.state, found.total) == ("real", "present", pytest.approx(0.78))
    assert found.null_mean == pytest.approx(0.035)


def test_states_of_real_scores() -> None:
    pools = {"clean": [scores(mean) for mean in NULLS_REAL]}
    half = stats.t.ppf(0.95, 63) * 0.01 / 8
    for mean, state, reason in [
        (0.0846 - half - 1e-3, "absent", None),
        (0.0846 - half + 1e-3, "unclear", "near the threshold"),
        (0.0856, "unclear", "too few nulls"),
        (0.1174, "present", None),
    ]:
        found = weigh(scores(mean), pools, 1e-3)
        assert (found.state, found.reason) == (state, reason)
        assert found.upper == pytest.approx(mean + half)
        assert found.interval[1] == pytest.approx(mean + stats.t.ppf(0.975, 63) * 0.01 / 8)


def test_floor_of_real_scores_is_the_noise_within_one_model() -> None:
    quiet = {"clean": [scores(mean, sd=0.01) for mean in NULLS_REAL]}
    noisy = {"clean": [scores(mean, sd=0.8) for mean in NULLS_REAL]}  # floor .1, far above their spread
    found = weigh(scores(0.3), noisy, 1e-3)
    assert found.theta0 == pytest.approx(0.035 + stats.norm.isf(1e-3) * 0.1)
    assert found.log10_p > -2 > -3 > weigh(scores(0.3), quiet, 1e-3).log10_p


def test_excluded_class() -> None:
    law = {"kind": "poisson-binomial", "p": [1 / 9] * 30 + [0.0] * 10}
    found = weigh(hits(12, 40, law), {"clean": count_pool([4] * 16, 40)}, 1e-3)
    assert found.log10_p_key == poisson_binomial_tails(law["p"])[12]  # type: ignore[arg-type]


def test_fresh_keys_answer_by_the_prediction_rule() -> None:
    law = {"kind": "redrawn", "totals": NULL_HITS}
    found = weigh(hits(96, 100, law), {"clean": count_pool([9] * 16, 100)}, 1e-3)
    assert found.log10_p_key == log10_prediction(96, NullPool.of_counts(NULL_HITS, 100), 1e-3)
    assert found.grade == "extrapolated"
    assert found.theta0 == 23  # p_key as it is reaches 1e-3 at 23, p_null in its N(0,1) form before that
    assert weigh(hits(96, 100, law), {"clean": count_pool([9] * 16, 100)}, 0.06).grade == "ranked"


def test_the_larger_p_counts() -> None:
    # the key alone would convict, the nulls say that every model answers like this
    found = weigh(hits(60, 100, UNIFORM), {"clean": count_pool([58, 62] * 8, 100)}, 1e-3)
    assert found.log10_p_key is not None
    assert found.log10_p_null is not None
    assert found.log10_p_key < -25
    assert found.log10_p == found.log10_p_null > -0.5
    assert found.state != "present"


def test_other_pools_only_add() -> None:
    clean = count_pool(NULL_HITS, 100)
    high = count_pool([30, 28, 33, 31, 29, 35, 27, 30], 100)
    alone = weigh(hits(40, 100, UNIFORM), {"clean": clean}, 1e-3)
    both = weigh(hits(40, 100, UNIFORM), {"clean": clean, "ftal": high}, 1e-3)
    assert (alone.state, both.state) == ("present", "unclear")
    assert both.log10_p_null == both.pools["ftal"]["log10_p"]
    assert both.theta is not None
    assert both.theta > 40
    low = weigh(hits(40, 100, UNIFORM), {"clean": clean, "ftal": count_pool([0] * 16, 100)}, 1e-3)
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
    found = weigh(hits(96, 100, UNIFORM), pools, 1e-3)
    assert found.log10_p == pytest.approx(math.log10(1 / 8))
    assert (found.theta, found.state, found.reason) == (None, "unclear", "too few nulls")
    assert weigh(hits(9, 100, UNIFORM), pools, 1e-3).state == "absent"
    assert weigh(hits(96, 100, UNIFORM), pools, 0.125).state == "present"


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


def test_the_evidence_channel_counts() -> None:
    found = weigh({**hits(12, 100, UNIFORM), "evidence": "carried"}, {}, 1e-3)
    assert found.n == 4


@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-6])
def test_present_is_at_least_theta(alpha: float) -> None:
    theta = trigger_set(0, alpha).theta
    assert theta is not None
    assert trigger_set(int(theta), alpha).state == "present"
    assert trigger_set(int(theta) - 1, alpha).state != "present"


def test_a_p_equal_to_alpha_is_present() -> None:
    pools = {"clean": count_pool([9, 10] * 10 + [11] * 19, 100)}
    assert weigh(hits(96, 100, UNIFORM), pools, 1 / 40).state == "present"
    # ranks cannot reach less than 1/40: the prediction counts
    assert weigh(hits(96, 100, UNIFORM), pools, 0.99 / 40).state == "present"
    assert weigh(hits(11, 100, UNIFORM), pools, 1 / 40).state != "present"


def test_ranks_that_reach_alpha_are_graded_so() -> None:
    pools = {"clean": count_pool([9, 10] * 10, 100)}
    assert weigh(hits(96, 100), pools, 0.05).grade == "ranked"
    assert weigh(hits(96, 100), pools, 0.04).grade == "extrapolated"


def test_search_is_charged_to_the_key() -> None:
    charge = 64 * math.log10(2)
    free, charged = trigger_set(96), trigger_set(96, search_bits=64)
    assert free.log10_p_key is not None
    assert charged.log10_p_key == pytest.approx(free.log10_p_key + charge)
    assert charged.log10_p_null == free.log10_p_null
    found = trigger_set(25, search_bits=64)
    assert (found.log10_p_key, found.log10_p, found.state) == (0.0, 0.0, "absent")
    assert charged.theta is not None
    assert charged.theta > 40


def test_search_is_charged_to_the_nulls_where_there_is_no_key_test() -> None:
    pools = {"clean": count_pool(NULL_HITS_400, 400)}
    assert weigh(hits(398, 400), pools, 1e-3).state == "present"
    charged = weigh(hits(398, 400), pools, 1e-3, search_bits=64)
    assert charged.log10_p == charged.log10_p_null == 0.0
    assert charged.state != "present"


def test_a_key_too_short_for_any_proof_is_absent() -> None:
    found = weigh(hits(8, 8, {"kind": "binomial", "p": 0.5}), {}, 1e-3)
    assert (found.theta, found.theta0, found.state) == (None, None, "absent")


def test_scarce_fresh_keys_do_not_manufacture_a_removal() -> None:
    law = {"kind": "redrawn", "totals": [9, 8, 10]}
    found = weigh(hits(96, 100, law), {"clean": count_pool(NULL_HITS, 100)}, 1e-3)
    assert (found.theta, found.state, found.reason) == (None, "unclear", "too few nulls")
    assert weigh(hits(9, 100, law), {"clean": count_pool(NULL_HITS, 100)}, 1e-3).state == "absent"


def test_interval_of_a_count_is_wilsons() -> None:
    assert trigger_set(100).interval == wilson(100, 100)


def test_channels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="pool 'clean' were not scored on the suspect's 100 items"):
        weigh(hits(9, 100), {"clean": count_pool([4], 40)}, 1e-3)
    with pytest.raises(ValueError, match="different items"):
        weigh(hits(9, 100), {"clean": [hits(9, 100), hits(4, 40)]}, 1e-3)
    with pytest.raises(ValueError, match="needs hits"):
        weigh(observed({"values": [0.1, 0.2], "law": UNIFORM}), {}, 1e-3)
    with pytest.raises(ValueError, match="the law has 3 items"):
        weigh(hits(2, 4, {"kind": "poisson-binomial", "p": [0.1] * 3}), {}, 1e-3)
    with pytest.raises(ValueError, match="unknown law"):
        weigh(hits(2, 4, {"kind": "poisson", "p": 0.1}), {}, 1e-3)
    broken: list[dict[str, Any]] = [{"hits": ""}, {"hits": "01x"}, {"values": []}, {"values": [math.nan]}]
    for channel in broken:
        with pytest.raises(ValueError, match="per key item"):
            weigh(observed(channel), {}, 1e-3)
