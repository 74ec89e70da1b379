"""The verdict on one model outside a run: nulls and suspects that hardly beat doing nothing."""

from __future__ import annotations

from typing import Any

from leaderboard.judge.decide import Thresholds
from leaderboard.judge.evidence import OWN_POOL
from leaderboard.judge.opinion import Examined, opinion
from leaderboard.pages.single_model import as_json, describe
from leaderboard.stats.null_tests import SURROGATE_POOL

from ..conftest import observation as case_observation

ADMISSION = {"well_formed": True, "bound": True, "hash_bound": False, "committed": False, "reason": None}


def projections(mean: float) -> dict[str, Any]:
    """An observation of 40 real scores around `mean`."""
    values = [mean + 0.1 * (index % 5 - 2) for index in range(40)]
    return {"evidence": "projection", "channels": {"projection": {"values": values}}, "gates": {}, "unreadable": None}


def useful(gain: float) -> dict[str, Any]:
    return {"psnr": [22.0 + gain] * 4, "identity": [22.0] * 4}


COURT = Thresholds(0.001, 5.0)
LOW = [0.02 * (index % 5 - 2) for index in range(16)]


def models(scores: list[float], gain: float = 8.0) -> list[Examined]:
    return [Examined(projections(score), useful(gain)) for score in scores]


def test_a_null_that_hardly_beats_doing_nothing_is_no_null() -> None:
    (suspect,) = models([1.0])
    good = opinion(suspect, {OWN_POOL: models(LOW)}, ADMISSION, COURT)
    assert (good.verdict, good.evidence.pools[OWN_POOL]["J"], good.useless) == ("present", 16, False)
    found = opinion(suspect, {OWN_POOL: models(LOW[:12]) + models(LOW[12:], 2.9)}, ADMISSION, COURT)
    pool = found.evidence.pools[OWN_POOL]
    assert (pool["J"], pool["useless"]) == (12, 4)
    assert "and 4 more that don't do their task" in dict(describe(found, ADMISSION, 0.001))["clean nulls"]
    assert opinion(suspect, {OWN_POOL: models(LOW, 2.9)}, ADMISSION, COURT).verdict == "unclear"


def test_a_useless_suspect_is_said_to_be_useless() -> None:
    (suspect,) = models([0.0], 1.25)
    found = opinion(suspect, {OWN_POOL: models(LOW)}, ADMISSION, COURT)
    assert as_json(found, ADMISSION, 0.001, 5.0)["useless"] is True
    assert dict(describe(found, ADMISSION, 0.001))["useless"] == (
        "the model gains 1.25 dB over doing nothing, below 3 dB"
    )


def test_surrogates_of_nulls_have_a_say() -> None:
    nulls = {OWN_POOL: models(LOW[:8])}
    copies = {**nulls, SURROGATE_POOL: models([0.2 + 0.1 * (index % 3) for index in range(8)])}
    states = []
    for pools in (nulls, copies):
        (suspect,) = models([0.4])
        found = opinion(suspect, pools, ADMISSION, COURT)
        states.append(found.verdict)
        assert ("surrogate nulls" in dict(describe(found, ADMISSION, 0.001))) is (pools is copies)
    assert states == ["present", "absent"]


def test_a_claim_is_answered_as_the_cell_of_the_same_records_is(case: Any) -> None:
    """A key behind a hash: believed if it was committed in time, and not if a search of 2^64 could have found it."""
    for hits, claims in ((30, ("accepted", "refused")), (96, ("accepted", "accepted")), (9, ("refused", "refused"))):
        shared = case.scheme("adi")
        nulls = case.store.read(shared["nulls"])["result"]["observations"]
        early = {**ADMISSION, "hash_bound": True, "committed": True}
        late = {**early, "committed": False}
        found = opinion(
            Examined(case_observation(hits), {"correct": "1"}),
            {OWN_POOL: [Examined(one, {"correct": "1"}) for one in nulls]}, late, COURT,
        )  # fmt: skip
        assert (found.claim, found.claim_uncommitted) == claims
        assert as_json(found, late, 0.001, 5.0)["without_commitment"]["grade"] == found.uncommitted.grade
        for admission, claim, evidence in ((early, claims[0], found.evidence), (late, claims[1], found.uncommitted)):
            name = f"claim {hits} {admission['committed']}"
            case.hit(shared, "adi", name, case_observation(hits), kind="ambiguity", admission=admission)
            (cell,) = case.board().at("adi", name)
            assert cell.verdict.word == {"accepted": "forged", "refused": "rejected"}[claim]
            assert cell.after == evidence
