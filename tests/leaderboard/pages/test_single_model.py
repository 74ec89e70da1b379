"""The verdict on one model outside a run: nulls and suspects that hardly beat doing nothing."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.judge.decide import Thresholds
from leaderboard.judge.evidence import OWN_POOL
from leaderboard.judge.opinion import Examined, Opinion, opinion
from leaderboard.pages.single_model import Hearing, as_json, describe, page
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


def by_chance(found: Opinion, looked_at: int) -> str:
    """What the page says about chance, of so many unmarked models in all."""
    heard = Hearing(
        scheme="adi", item="trigger", access="labels", suspect="x.onnx", form="onnx", sha256=None, asked=800, own=397,
        task="digits", useful="accuracy 97 %", card=True, commitment="cd" * 32, nulls=looked_at,
    )  # fmt: skip
    return "\n".join(dict(page(heard, found, ADMISSION, 0.001))["How likely that is by chance"])


def triggers(hits: int, law: dict[str, Any] | None) -> Examined:
    seen = {"hits": "1" * hits + "0" * (100 - hits)} | ({"law": law} if law else {})
    observed = {"evidence": "triggers", "channels": {"triggers": seen}, "gates": {}, "unreadable": None}
    return Examined(observed, {"correct": "1" * 380 + "0" * 20, "majority": "1" * 40 + "0" * 360})


NULL_HITS = [9, 10, 8, 12, 11, 7, 10, 9, 13, 8, 10, 11, 9, 12, 10, 6]
FEW = {"kind": "redrawn", "totals": [*NULL_HITS, 9, 10, 8]}
EIGHT = "1 in 10^7 (extrapolated: 8 that were looked at cannot show less than 1 in 9) would do as well"


@pytest.mark.parametrize(
    ("law", "sentences"),
    [
        ({"kind": "binomial", "p": 0.1}, ["1 in 10^77 would do as well. This follows from a law in closed form.",
                                          EIGHT, "in 1,000 times."]),
        (FEW, ["1 in 10^13 (extrapolated: 19 that were drawn anew cannot show less than 1 in 20) would do as well",
               EIGHT, "in 1,000 times (extrapolated)."]),
        (None, [EIGHT, "in 1,000 times (extrapolated)."]),
    ],
)  # fmt: skip
def test_the_page_prints_no_number_that_so_few_can_not_show_without_saying_so(
    law: dict[str, Any] | None, sentences: list[str]
) -> None:
    """Of 24 unmarked models the eight of the second pool decide, since so few reach less far: they are named."""
    nulls = [triggers(hits, law) for hits in NULL_HITS]
    others = [triggers(hits, law) for hits in [3, 4, 5, 3, 4, 5, 4, 5]]
    said = by_chance(opinion(triggers(90, law), {OWN_POOL: nulls, SURROGATE_POOL: others}, ADMISSION, COURT), 24)
    assert [sentence in said for sentence in sentences] == [True] * len(sentences), said
    assert said.count("extrapolated") == sum("extrapolated" in sentence for sentence in sentences)


def test_what_so_few_can_show_is_not_called_extrapolated() -> None:
    law = {"kind": "binomial", "p": 0.1}
    nulls = [triggers(hits, law) for hits in NULL_HITS]
    alone = by_chance(opinion(triggers(90, law), {OWN_POOL: nulls}, ADMISSION, COURT), 16)
    assert "1 in 10^11 (extrapolated: 16 that were looked at cannot show less than 1 in 17) would do as well" in alone
    said = by_chance(opinion(triggers(10, law), {OWN_POOL: nulls}, ADMISSION, COURT), 16)
    assert "% (by 16 that were looked at) would do as well" in said
    assert "extrapolated" not in said


@pytest.mark.parametrize("law", [{"kind": "binomial", "p": 0.1}, None])
def test_models_that_were_looked_at_in_vain_are_not_denied(law: dict[str, Any] | None) -> None:
    one = triggers(90, law)
    useless = Examined(one.seen, {"correct": "1" * 40 + "0" * 360, "majority": "1" * 40 + "0" * 360})
    said = by_chance(opinion(one, {OWN_POOL: [useless] * 16, SURROGATE_POOL: [useless] * 8}, ADMISSION, COURT), 24)
    assert "24 unmarked models were trained or kept for comparison, and none counts: 24 of them do not do" in said
    assert "No unmarked model was compared" not in said
    assert ("No unmarked model was compared" in by_chance(opinion(one, {OWN_POOL: []}, ADMISSION, COURT), 0)) is (
        law is not None
    )


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
