"""Realised error rates from records: counts by alpha, leaving one out, half-erased marks, the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from leaderboard.analysis.error_rates import ALPHAS, allowed, calibrate, cross, failures, p_values
from leaderboard.analysis.half_reset import half_reset_power
from leaderboard.judge.evidence import OWN_POOL
from leaderboard.pages.studies.calibration_page import as_json, calibration_page
from leaderboard.stats.tails import NullPool, log10_prediction

from ..conftest import NULL_HITS


def seen(hits: int, law: float | None = 0.1) -> dict[str, Any]:
    channel: dict[str, Any] = {"hits": "1" * hits + "0" * (100 - hits)}
    if law is not None:
        channel["law"] = {"kind": "binomial", "p": law}
    return {"evidence": "bits", "channels": {"bits": channel}, "gates": {}, "unreadable": None}


def calibrated(case: Any, drawn: list[int], scheme: str = "adi", **jobs: Any) -> Any:
    """A calibration with one clean pool, whose sixth null was also attacked, and these totals of fresh keys."""
    shared = case.scheme(scheme)
    nulls = case.store.read(shared["nulls"])["job"]["suspects"]
    attacked = case.model("attacked", "attacked null 5", [nulls[5]])
    pool = case.judged("the attacked null", shared["marked"], [attacked], [seen(jobs.pop("attacked_hits", 9))])
    result = {"observations": [seen(one) for one in drawn], "models": [i % 16 for i in range(len(drawn))],
              "admissible": jobs.pop("admissible", len(drawn))}  # fmt: skip
    if jobs.pop("lawless", False):
        for one in result["observations"]:
            del one["channels"]["bits"]["law"]
    case.run["calibration"] = [{
        "scheme": scheme, "marked": shared["marked"], "fresh": shared["fresh"],
        "crossed": [], "drawn": case.job("drawn", "fresh keys", [shared["marked"]], result, **jobs),
        "pools": {"clean": shared["nulls"], "attacked": pool},
    }]  # fmt: skip
    run = case.read()
    (found,) = calibrate(run)
    return run, found


def test_what_chance_allows_of_2000_keys() -> None:
    assert [allowed(2000, alpha) for alpha in ALPHAS] == [131, 8, 1]


def test_fresh_keys_are_counted_by_their_exact_p(case: Any) -> None:
    """Each level's least total, and the one below it: one accusation more at every level."""
    totals = [total for least in (16, 21, 28) for total in (least - 1, least)]  # of 100 items, at .05, 1e-3 and 1e-6
    _, found = calibrated(case, [10] * 1994 + totals)
    drawn = found.fresh_keys
    assert [drawn.accused[alpha].count for alpha in ALPHAS] == [5, 3, 1]
    assert [drawn.fired[alpha] for alpha in ALPHAS] == [5, 3, 1]
    assert drawn.passed
    assert stats.binom.cdf(1, 2000, drawn.accused[1e-6].bound) == pytest.approx(0.05)


@pytest.mark.parametrize(("drawn", "admissible"), [([21] * 9 + [10] * 1991, 2000), ([10] * 2000, 1999)])
def test_too_many_accusations_or_one_bad_key_fail(case: Any, drawn: list[int], admissible: int) -> None:
    _, found = calibrated(case, drawn, admissible=admissible)
    assert not found.fresh_keys.passed
    (said,) = failures([found])
    assert said.startswith(
        "adi: 9 of 2000 fresh keys accuse" if admissible == 2000 else "adi: 1 of 2000 fresh keys are"
    )


def test_nets_from_scratch_count_where_the_plan_says_so_and_not_as_suspects(case: Any) -> None:
    """Sixteen are accused, and nine of them are nulls beside the clean ones: the larger p counts."""
    calibrated(case, [10] * 20)
    entry = case.run["calibration"][0]
    models = [case.model("null", f"from scratch {index}", []) for index in range(16)]
    hits = [30 + index % 3 for index in range(16)]
    entry["pools"]["from scratch"] = case.judged("scratch", entry["marked"], models, [seen(one) for one in hits])
    nine = case.judged("scratch nulls", entry["marked"], models[:9], [seen(one) for one in hits[:9]])
    strict = []
    for counted in (None, nine):
        entry["scratch_nulls"] = counted
        (found,) = calibrate(case.read())
        (pool,) = [one for one in found.pools if one.name == "from scratch"]
        assert pool.null[1e-3].n == 16
        strict.append(pool.null[1e-3].count)
    assert strict == [16, 0]


def test_each_model_is_left_out_of_its_own_nulls(case: Any) -> None:
    """An attacked null that shows 30 hits stands against the 15 nulls it was not made from."""
    run, found = calibrated(case, [10] * 20, attacked_hits=30)
    clean, attacked = found.pools
    assert (clean.name, clean.null[0.05].n, attacked.null[0.05].n) == ("clean", 16, 1)
    assert [clean.null[alpha].count for alpha in ALPHAS] == [0, 0, 0]
    assert [attacked.strict[alpha].count for alpha in ALPHAS] == [1, 1, 0]
    assert [attacked.both[alpha].count for alpha in ALPHAS] == [1, 1, 1]
    from leaderboard.judge.evidence import weigh
    from leaderboard.judge.results import observations

    nulls = observations(run, run.described["calibration"][0]["pools"]["clean"])
    left_out = weigh(seen(30), {"clean": [one for i, one in enumerate(nulls) if i != 5]}, 1e-3)
    assert attacked.least_log10_p == pytest.approx(left_out.log10_p)


@pytest.mark.parametrize(("hits", "law"), [(96, 0.1), (40, 0.1), (60, None)])
def test_the_power_of_a_half_erased_mark_is_that_of_a_simulation(hits: int, law: float | None) -> None:
    rng = np.random.default_rng(5)
    nulls = [seen(hit, law) for hit in NULL_HITS]
    power = half_reset_power(seen(hits, law), {OWN_POOL: nulls}, ALPHAS)
    from leaderboard.judge.evidence import weigh

    chance = 0.1 if law else float(np.mean(NULL_HITS)) / 100
    for alpha in ALPHAS:
        theta = weigh(seen(hits, law), {"clean": nulls}, alpha).theta
        assert theta is not None
        totals = rng.hypergeometric(hits, 100 - hits, 50, 4000) + rng.binomial(50, chance, 4000)
        assert power[alpha] == pytest.approx((totals >= theta).mean(), abs=0.03)
    assert power[0.05] >= power[1e-3] >= power[1e-6]


def test_a_scheme_without_fresh_keys_says_so(case: Any) -> None:
    reason = "free bits follow from nothing"
    run, found = calibrated(case, [10], status="not-applicable", reason=reason)
    assert found.fresh_keys is None
    assert found.faults == (("not-applicable", reason),)
    text = calibration_page(run, [found])
    assert f"no such test: {reason}" in text


def test_fresh_keys_without_a_law_are_no_test(case: Any) -> None:
    run, found = calibrated(case, [90] * 20, lawless=True)
    assert found.fresh_keys is None
    assert "no such test: its fresh keys have no law" in calibration_page(run, [found])
    assert failures([found]) == []


def redrawn(hits: int, totals: list[int]) -> dict[str, Any]:
    one = seen(hits, None)
    one["channels"]["bits"]["law"] = {"kind": "redrawn", "totals": totals}
    return one


def loud_keys(draws: int, models: int = 16) -> list[list[dict[str, Any]]]:
    """By model, under the same keys: now and then a key scores 20 items more on every model, marked or not.

    Each observation holds 19 other keys on the same model, as loud as seldom.
    """
    rng = np.random.default_rng(3)
    loud = 20 * (rng.random((draws, 20)) < 0.02)
    totals = rng.binomial(100, 0.2, (models, draws, 20)) + loud
    return [[redrawn(int(key[0]), key[1:].tolist()) for key in model] for model in totals]


@pytest.mark.parametrize("models", [9, 16])
def test_a_loud_key_fools_p_key_and_not_the_p_that_accuses(models: int) -> None:
    """2 % of the keys are read by every model: the other models' p_null knows them, 19 other keys don't."""
    found = cross(loud_keys(4000 // models, models))
    n = 4000 // models * models
    assert (found.models, found.key[1e-3].n) == (models, n)
    assert found.key[1e-3].count > allowed(n, 1e-3)
    assert [found.both[alpha].count <= allowed(n, alpha) for alpha in ALPHAS] == [True] * 3
    assert found.both[0.05].count > 0


def test_a_model_that_alone_reads_a_key_is_accused() -> None:
    quiet = [redrawn(20, [17 + i % 7 for i in range(19)]) for _ in range(4)]
    for index, one in enumerate(quiet):
        one["channels"]["bits"]["hits"] = "1" * (18 + index) + "0" * (82 - index)
    models = [list(quiet) for _ in range(16)]
    models[2][2] = redrawn(90, [17 + i % 7 for i in range(19)])
    assert [cross(models).both[alpha].count for alpha in ALPHAS] == [1, 1, 1]


def test_the_limits_are_for_the_p_that_accuses(case: Any) -> None:
    run, _ = calibrated(case, [21] * 9 + [10] * 1991)
    marked, under = run.described["calibration"][0]["marked"], loud_keys(32)
    case.run["calibration"][0]["crossed"] = [
        case.job("drawn", f"crossed {index}", [marked],
                 {"observations": one, "models": [0] * 32, "admissible": 32 if index else 31})
        for index, one in enumerate(under)
    ]  # fmt: skip
    run = case.read()
    (found,) = calibrate(run)
    assert found.fresh_keys.accused[1e-3].count == 9
    assert failures([found]) == ["adi: 1 of 2000 fresh keys are inadmissible"]
    text = calibration_page(run, [found])
    assert "**The limits do not hold.** adi: 1 of 2000" in text
    assert "by p: **no**" in text
    assert "it is a prediction" in text


def test_the_power_of_half_erased_scores_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(5)

    def scores(values: Any) -> dict[str, Any]:
        return {"evidence": "p", "channels": {"p": {"values": list(values)}}, "gates": {}, "unreadable": None}

    from leaderboard.judge.evidence import weigh

    levels = 0.2 * rng.standard_normal((16, 1)) + 0.1 * rng.standard_normal((16, 64))
    ours = 1.6 + 1.2 * rng.standard_normal(64)
    nulls = [scores(one) for one in levels]
    power = half_reset_power(scores(ours), {OWN_POOL: nulls}, ALPHAS)
    for alpha in ALPHAS:
        hits = []
        for index, level in enumerate(levels):
            theta = weigh(scores(ours), {"clean": nulls[:index] + nulls[index + 1 :]}, alpha).theta
            for _ in range(300):
                kept = rng.permutation(64) < 32
                hits.append(np.where(kept, ours, level).mean() >= theta)
        assert power[alpha] == pytest.approx(np.mean(hits), abs=0.03)
    assert 0.05 < power[1e-6] < 0.95 or 0.05 < power[1e-3] < 0.95


def test_the_page_escapes_and_says_what_failed(case: Any) -> None:
    run, found = calibrated(case, [21] * 9 + [10] * 1991, scheme="a|b<i>")
    text = calibration_page(run, [found])
    assert "a\\|b&lt;i&gt;" in text
    assert "<i>" not in text
    assert "**no**" in text
    assert "131 at 0.05, 8 at 0.001, 1 at 1e-6 of 2,000 draws" in text
    (as_data,) = as_json([found])
    counted = as_data["fresh_keys"]["accused"]["0.001"]  # type: ignore[index]
    assert (counted["count"], counted["n"]) == (9, 2000)
    assert stats.binom.cdf(9, 2000, counted["bound"]) == pytest.approx(0.05)


def test_the_p_that_accuses_counts_the_views() -> None:
    """An innocent whose aligned view alone stands out: half of alpha has to be reached there, and is in one of two."""

    def viewed(bits: int, aligned: int) -> dict[str, Any]:
        one = seen(bits, 0.5)
        one["channels"]["aligned"] = seen(aligned, None)["channels"]["bits"]
        return {**one, "views": ["aligned"]}

    nulls = [viewed(50, hits) for hits in NULL_HITS]
    loud, pool = p_values(viewed(50, 40), {OWN_POOL: nulls}), NullPool.of_counts(NULL_HITS, 100)
    assert loud.both[1e-3] == pytest.approx(log10_prediction(40, pool, 5e-4) + np.log10(2))
    assert loud.key[1e-3] == 0.0  # the bits are as ordinary as can be
    quiet = p_values(viewed(70, 9), {OWN_POOL: nulls})
    assert (
        quiet.both[1e-3] == quiet.key[1e-3] == pytest.approx(np.log10(4) + stats.binom.logsf(69, 100, 0.5) / np.log(10))
    )
