"""Suspects weighed against known nulls: p-values, thresholds, the three states and their reasons."""

import math
from typing import Any

import numpy as np
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


def test_fresh_keys_answer_by_the_prediction_rule() -> None:
    law = {"kind": "redrawn", "totals": NULL_HITS}
    found = weigh(hits(96, 100, law), {"clean": count_pool([9] * 16, 100)}, 1e-3)
    assert found.log10_p_key == log10_prediction(96, NullPool.of_counts(NULL_HITS, 100), 1e-3)
    assert found.grade == "extrapolated"
    assert found.theta0 == 23  # p_key as it is reaches 1e-3 at 23, p_null in its N(0,1) form before that
    assert weigh(hits(96, 100, law), {"clean": count_pool([9] * 16, 100)}, 0.06).grade == "ranked"


def test_the_larger_p_counts_in_a_strict_reading() -> None:
    # the key alone would convict, the nulls say that every model answers like this
    found = weigh(hits(60, 100, UNIFORM), {"clean": count_pool([58, 62] * 8, 100)}, 1e-3, strict=True)
    assert found.log10_p_key is not None
    assert found.log10_p_null is not None
    assert found.log10_p_key < -25
    assert found.log10_p == found.log10_p_null > -0.5
    assert found.state != "present"


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


BITS = {"kind": "binomial", "p": 0.5}


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


def test_innocents_are_counted_on_both_sides() -> None:
    found = weigh(hits(10, 96, BITS), {"clean": count_pool([86, 48, 50, 9, 11], 96)}, 1e-3)
    assert found.innocents is not None
    assert (found.innocents.as_high, found.innocents.of, found.warned) == (2, 5, True)


def test_a_strict_reading_has_two_sides_as_well() -> None:
    pool = count_pool([44, 52, 47, 49, 50, 46, 48, 51] * 2, 96)
    low, high = (weigh(hits(total, 96, BITS), {"clean": pool}, 1e-3, strict=True) for total in (4, 92))
    assert (low.state, high.state, low.inverted, high.inverted) == ("present", "present", True, False)
    one_sided = log10_prediction(92, NullPool.of_counts([44, 52, 47, 49, 50, 46, 48, 51] * 2, 96), 1e-3)
    assert high.log10_p_null == pytest.approx(one_sided + math.log10(2))


def test_labels_have_one_side() -> None:
    assert trigger_set(0).state == "absent"
    assert not trigger_set(0).inverted


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
