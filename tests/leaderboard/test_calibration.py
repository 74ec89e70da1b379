"""Realised error rates from records: counts by alpha, leaving one out, half-erased marks, ROC, the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from leaderboard.calibration import ALPHAS, allowed, calibrate, half_reset_power
from leaderboard.rates import as_json, calibration_page

NULLS = (9, 7, 11, 8, 10, 6, 12, 9, 8, 10, 7, 9, 11, 8, 13, 4)


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
    case.run["calibration"] = [{
        "scheme": scheme, "marked": shared["marked"], "fresh": shared["fresh"],
        "drawn": case.job("drawn", "fresh keys", [shared["marked"]], result, **jobs),
        "pools": {"clean": shared["nulls"], "attacked": pool}, "attacked_marked": None,
    }]  # fmt: skip
    run = case.read()
    (found,) = calibrate(run)
    return run, found


def test_what_chance_allows_of_2000_keys() -> None:
    assert [allowed(2000, alpha) for alpha in ALPHAS] == [131, 8, 1]


def test_fresh_keys_are_counted_by_their_exact_p(case: Any) -> None:
    """Each level's least total, and the one below it: one accusation more at every level."""
    least = [int(stats.binom.isf(alpha, 100, 0.1)) + 1 for alpha in ALPHAS]
    assert [stats.binom.sf(t - 1, 100, 0.1) <= alpha for t, alpha in zip(least, ALPHAS, strict=True)] == [True] * 3
    assert [stats.binom.sf(t - 2, 100, 0.1) > alpha for t, alpha in zip(least, ALPHAS, strict=True)] == [True] * 3
    totals = [total for t in least for total in (t - 1, t)]
    _, found = calibrated(case, [10] * 1994 + totals)
    drawn = found.fresh_keys
    assert [drawn.accused[alpha].count for alpha in ALPHAS] == [5, 3, 1]
    assert [drawn.fired[alpha] for alpha in ALPHAS] == [5, 3, 1]
    assert drawn.passed
    assert drawn.accused[1e-6].bound == pytest.approx(stats.beta.ppf(0.95, 2, 1999))


@pytest.mark.parametrize(("drawn", "admissible"), [([21] * 9 + [10] * 1991, 2000), ([10] * 2000, 1999)])
def test_too_many_accusations_or_one_bad_key_fail(case: Any, drawn: list[int], admissible: int) -> None:
    _, found = calibrated(case, drawn, admissible=admissible)
    assert not found.fresh_keys.passed


def test_each_model_is_left_out_of_its_own_nulls(case: Any) -> None:
    """An attacked null that shows 30 hits stands against the 15 nulls it was not made from."""
    run, found = calibrated(case, [10] * 20, attacked_hits=30)
    clean, attacked = found.pools
    assert (clean.name, clean.null[0.05].n, attacked.null[0.05].n) == ("clean", 16, 1)
    assert [clean.null[alpha].count for alpha in ALPHAS] == [0, 0, 0]
    assert [attacked.both[alpha].count for alpha in ALPHAS] == [1, 1, 0]
    from leaderboard.evidence import weigh
    from leaderboard.jobs import observations

    nulls = observations(run, run.described["calibration"][0]["pools"]["clean"])
    left_out = weigh(seen(30), {"clean": [one for i, one in enumerate(nulls) if i != 5]}, 1e-3)
    assert attacked.least_log10_p == pytest.approx(left_out.log10_p)


@pytest.mark.parametrize(("hits", "law"), [(96, 0.1), (40, 0.1), (60, None)])
def test_the_power_of_a_half_erased_mark_is_that_of_a_simulation(hits: int, law: float | None) -> None:
    rng = np.random.default_rng(5)
    nulls = [seen(hit, law) for hit in NULLS]
    power = half_reset_power(seen(hits, law), nulls)
    from leaderboard.evidence import weigh

    chance = 0.1 if law else float(np.mean(NULLS)) / 100
    for alpha in ALPHAS:
        theta = weigh(seen(hits, law), {"clean": nulls}, alpha).theta
        assert theta is not None
        totals = rng.hypergeometric(hits, 100 - hits, 50, 4000) + rng.binomial(50, chance, 4000)
        assert power[alpha] == pytest.approx((totals >= theta).mean(), abs=0.03)
    assert power[0.05] >= power[1e-3] >= power[1e-6]


def test_a_curve_needs_a_hundred_nulls(case: Any) -> None:
    _, found = calibrated(case, [10] * 20)
    assert found.roc is None
    entry = case.run["calibration"][0]
    models = [f"{index:064x}" for index in range(100)]
    entry["pools"]["attacked"] = case.judged(
        "many", entry["marked"], models, [seen(index % 20) for index in range(100)]
    )
    entry["attacked_marked"] = case.judged("stolen", entry["marked"], models[:4], [seen(h) for h in (30, 19, 18, 0)])
    (found,) = calibrate(case.read())
    assert found.roc is not None
    assert (found.roc.marked, found.roc.nulls) == (4, 100)
    assert found.roc.tpr == 0.25  # five nulls show 19: one false positive of a hundred allows no tie with them
    assert found.roc.auroc == pytest.approx((100 + 97.5 + 92.5 + 2.5) / 400)


def test_a_scheme_without_fresh_keys_says_so(case: Any) -> None:
    reason = "free bits follow from nothing"
    run, found = calibrated(case, [10], status="not-applicable", reason=reason)
    assert found.fresh_keys is None
    assert found.faults == (("not-applicable", reason),)
    text = calibration_page(run, [found])
    assert "no fresh keys" in text
    assert reason in text


def test_the_page_escapes_and_says_what_failed(case: Any) -> None:
    run, found = calibrated(case, [21] * 9 + [10] * 1991, scheme="a|b<i>")
    text = calibration_page(run, [found])
    assert "a\\|b&lt;i&gt;" in text
    assert "<i>" not in text
    assert "**no**" in text
    assert "131 at 0.05, 8 at 0.001, 1 at 1e-6 of 2,000 draws" in text
    (as_data,) = as_json([found])
    assert as_data["fresh_keys"]["accused"]["0.001"] == {  # type: ignore[index]
        "count": 9, "n": 2000, "bound": pytest.approx(stats.beta.ppf(0.95, 10, 1991)),
    }  # fmt: skip
