"""The verdict on one model outside a run: nulls and suspects that hardly beat doing nothing."""

from __future__ import annotations

from typing import Any

from leaderboard.judge.evidence import OWN_POOL
from leaderboard.pages.single_model import as_json, describe, opinion
from leaderboard.stats.null_tests import SURROGATE_POOL

ADMISSION = {"well_formed": True, "bound": True, "hash_bound": False, "committed": False, "reason": None}


def projections(mean: float) -> dict[str, Any]:
    """An observation of 40 real scores around `mean`."""
    values = [mean + 0.1 * (index % 5 - 2) for index in range(40)]
    return {"evidence": "projection", "channels": {"projection": {"values": values}}, "gates": {}, "unreadable": None}


def useful(gain: float) -> dict[str, Any]:
    return {"psnr": [22.0 + gain] * 4, "identity": [22.0] * 4}


def test_a_null_that_hardly_beats_doing_nothing_is_no_null() -> None:
    nulls = {OWN_POOL: [projections(0.02 * (index % 5 - 2)) for index in range(16)]}
    good = opinion(projections(1.0), nulls, ADMISSION, 0.001, 5.0, useful(8.0), {OWN_POOL: [useful(8.0)] * 16})
    assert (good.verdict, good.evidence.pools[OWN_POOL]["J"], good.useless) == ("present", 16, False)
    weak = [useful(8.0)] * 12 + [useful(2.9)] * 4
    found = opinion(projections(1.0), nulls, ADMISSION, 0.001, 5.0, useful(8.0), {OWN_POOL: weak})
    pool = found.evidence.pools[OWN_POOL]
    assert (pool["J"], pool["useless"]) == (12, 4)
    assert "and 4 more that hardly beat doing nothing" in dict(describe(found, ADMISSION, 0.001))["nulls"]
    none = opinion(projections(1.0), nulls, ADMISSION, 0.001, 5.0, useful(8.0), {OWN_POOL: [useful(2.9)] * 16})
    assert none.verdict == "unclear"


def test_a_useless_suspect_is_said_to_be_useless() -> None:
    nulls = {OWN_POOL: [projections(0.02 * (index % 5 - 2)) for index in range(16)]}
    found = opinion(projections(0.0), nulls, ADMISSION, 0.001, 5.0, useful(1.25), {OWN_POOL: [useful(8.0)] * 16})
    assert as_json(found, ADMISSION, 0.001, 5.0)["useless"] is True
    assert dict(describe(found, ADMISSION, 0.001))["useless"] == (
        "the model gains 1.25 dB over doing nothing, below 3 dB"
    )


def test_surrogates_of_nulls_have_a_say() -> None:
    nulls = {OWN_POOL: [projections(0.02 * (index % 5 - 2)) for index in range(8)]}
    copies = {**nulls, SURROGATE_POOL: [projections(0.2 + 0.1 * (index % 3)) for index in range(8)]}
    states = []
    for pools in (nulls, copies):
        able = {pool: [useful(8.0)] * 8 for pool in pools}
        found = opinion(projections(0.4), pools, ADMISSION, 0.001, 5.0, useful(8.0), able)
        states.append(found.verdict)
        assert ("surrogates" in dict(describe(found, ADMISSION, 0.001))) is (pools is copies)
    assert states == ["present", "absent"]
