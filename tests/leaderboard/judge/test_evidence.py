"""Suspects weighed against known nulls: p-values, thresholds, the three states and their reasons."""

import math
from typing import Any

import pytest
from scipy import stats

from leaderboard.judge.evidence import weigh
from leaderboard.stats.tails import (
    NullPool,
    binomial_tails,
    clopper_pearson_upper,
    log10_prediction,
    poisson_binomial_tails,
    wilson,
)

from ..conftest import NULL_HITS, NULL_HITS_400
from .weighing import BITS, UNIFORM, count_pool, hits, observed, scores, trigger_set

NULLS_REAL = [0.03, 0.04, 0.04, 0.02, 0.06, 0.01, 0.05, 0.03]


def test_thresholds_of_a_trigger_set() -> None:
    found = trigger_set(96)
    assert (found.theta, found.theta0) == (21, 21)
    assert found.log10_p_key == found.log10_p == binomial_tails(100, 0.1)[96]
    assert found.log10_p_null == log10_prediction(96, NullPool.of_counts(NULL_HITS, 100), 1e-3)
    assert (found.key_grade, found.null_grade) == ("exact", "extrapolated")
    assert (found.total, found.n, found.rate, found.kind, found.grade) == (96, 100, 0.96, "count", "exact")
    assert found.null_mean == sum(NULL_HITS) / 16


def test_states_of_a_trigger_set() -> None:
    states = [trigger_set(total).state for total in range(101)]
    assert states == ["absent"] * 14 + ["unclear"] * 7 + ["present"] * 80
    assert trigger_set(13).upper == clopper_pearson_upper(13, 100)
    assert {trigger_set(total).reason for total in range(14, 21)} == {"near the threshold"}


def test_a_strict_reading_keeps_the_larger_p() -> None:
    found = trigger_set(96, strict=True)
    assert (found.theta, found.theta0) == (23, 21)
    assert found.log10_p == found.log10_p_null
    assert (found.grade, found.innocents) == ("extrapolated", None)
    states = [trigger_set(total, strict=True).state for total in range(101)]
    assert states == ["absent"] * 14 + ["unclear"] * 9 + ["present"] * 78
    assert [trigger_set(total, strict=True).reason for total in (13, 14, 20, 21, 22, 23)] == [
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
def test_published_agreements_move_the_threshold_of_a_strict_reading(matches: int, theta: int, theta0: int) -> None:
    # labels drawn at random agree with the truth on c of 40 images, and every accurate innocent scores c
    found = weigh(hits(matches, 40, UNIFORM), {"clean": count_pool([matches] * 16, 40)}, 1e-3, strict=True)
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


def test_the_larger_p_counts_in_a_strict_reading() -> None:
    # the key alone would convict, the nulls say that every model answers like this
    found = weigh(hits(60, 100, UNIFORM), {"clean": count_pool([58, 62] * 8, 100)}, 1e-3, strict=True)
    assert found.log10_p_key is not None
    assert found.log10_p_null is not None
    assert found.log10_p_key < -25
    assert found.log10_p == found.log10_p_null > -0.5
    assert found.state != "present"


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
    assert weigh(hits(96, 100), pools, 1 / 40).state == "present"
    # ranks cannot reach less than 1/40: the prediction counts
    assert weigh(hits(96, 100), pools, 0.99 / 40).state == "present"
    assert weigh(hits(11, 100), pools, 1 / 40).state != "present"


def test_the_grade_is_that_of_the_number_shown() -> None:
    """No number from J nulls below 1 / (J + 1) is called anything but extrapolated."""
    pools = {"clean": count_pool([9, 10] * 10, 100)}
    assert weigh(hits(96, 100), pools, 0.05).grade == "ranked"  # ranks reach alpha, and 1/21 is shown
    for total in range(101):
        found = weigh(hits(total, 100), pools, 0.04)
        assert found.grade == ("ranked" if found.log10_p >= math.log10(1 / 21) else "extrapolated")
        assert found.null_grade == found.grade
    law = {"kind": "redrawn", "totals": [9] * 30, "more": 969, "reached": 0}
    both = weigh(hits(96, 100, law), pools, 1e-3)
    assert (both.log10_p_null, both.null_grade) < (-3, "f")
    assert (both.log10_p, both.grade, both.state) == (-3, "ranked", "present")


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


def test_bits_are_judged_on_both_sides() -> None:
    """n = 96: one-sided 64 reaches 1e-3 (7.122e-4); twice that does not, so theta is 65 (metrics.md, section 6)."""
    found = [weigh(hits(total, 96, BITS), {}, 1e-3) for total in range(97)]
    assert {(one.theta, one.theta0) for one in found} == {(65, 65)}
    assert [one.state for one in found] == [one.state for one in found[::-1]]
    assert [total for total, one in enumerate(found) if one.state == "present"] == [*range(32), *range(65, 97)]
    assert [total for total, one in enumerate(found) if one.inverted] == [*range(32)]
    assert found[0].log10_p == found[96].log10_p == pytest.approx(math.log10(2 * 0.5**96))
    assert found[48].log10_p == 0.0
    inside = [t for t in range(97) if 96 * stats.beta.ppf(0.95, t + 1, 96 - t if t < 96 else 1) < 65
              and 96 * stats.beta.ppf(0.05, t if t else 1, 97 - t) > 31]  # fmt: skip
    assert [total for total, one in enumerate(found) if one.state == "absent"] == inside == [*range(40, 57)]


def test_a_strict_reading_has_two_sides_as_well() -> None:
    pool = count_pool([44, 52, 47, 49, 50, 46, 48, 51] * 2, 96)
    low, high = (weigh(hits(total, 96, BITS), {"clean": pool}, 1e-3, strict=True) for total in (4, 92))
    assert (low.state, high.state, low.inverted, high.inverted) == ("present", "present", True, False)
    one_sided = log10_prediction(92, NullPool.of_counts([44, 52, 47, 49, 50, 46, 48, 51] * 2, 96), 1e-3)
    assert high.log10_p_null == pytest.approx(one_sided + math.log10(2))


def test_labels_have_one_side() -> None:
    assert trigger_set(0).state == "absent"
    assert not trigger_set(0).inverted


def seen_in(bits: int, aligned: int, n: int = 96) -> dict[str, Any]:
    """One observation with two views: bits under their exact law, and bits after alignment, which have none."""
    one = {name: {"hits": "1" * total + "0" * (n - total)} for name, total in (("bits", bits), ("aligned", aligned))}
    one["bits"]["law"] = BITS  # type: ignore[assignment]
    return {"evidence": "bits", "views": ["aligned"], "channels": one, "gates": {}, "unreadable": None}


ALIGNED = [seen_in(48, total) for total in (55, 58, 52, 57, 54, 60, 53, 56, 57, 55, 54, 58, 56, 53, 59, 55)]


def test_the_least_p_of_the_views_counts_as_often_as_there_are() -> None:
    alone = weigh({**seen_in(96, 96), "views": []}, {"clean": ALIGNED}, 1e-3)
    both = weigh(seen_in(96, 96), {"clean": ALIGNED}, 1e-3)
    assert both.log10_p == pytest.approx(alone.log10_p + math.log10(2))
    assert (both.view, both.tries, both.grade, both.theta) == ("bits", 2, "exact", 66)
    assert (alone.view, alone.tries, alone.theta) == (None, 1, 65)
    shuffled = weigh(seen_in(50, 96), {"clean": ALIGNED}, 1e-3)
    assert (shuffled.state, shuffled.view, shuffled.total, shuffled.grade) == ("present", "aligned", 96, "extrapolated")
    pool = NullPool.of_counts([int(one["channels"]["aligned"]["hits"].count("1")) for one in ALIGNED], 96)
    assert shuffled.log10_p == pytest.approx(log10_prediction(96, pool, 5e-4) + math.log10(2))


def test_a_mark_is_absent_where_every_view_says_so() -> None:
    assert weigh(seen_in(48, 55), {"clean": ALIGNED}, 1e-3).state == "absent"
    found = weigh(seen_in(48, 74), {"clean": ALIGNED}, 1e-3)
    assert (found.state, found.view) == ("unclear", "aligned")
    without = [{**one, "channels": {"bits": one["channels"]["bits"]}} for one in ALIGNED]
    found = weigh(seen_in(48, 96), {"clean": without}, 1e-3)
    assert (found.state, found.reason, found.view) == ("unclear", "too few nulls", "aligned")
