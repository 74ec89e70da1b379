"""Keys that were ground against what their own extractor reads anyway: the court charges for that, committed or not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.evidence import OWN_POOL
from leaderboard.judge.grinding import ground_bits
from leaderboard.judge.opinion import Examined, Opinion, opinion
from leaderboard.judge.verdicts import Verdict

N = 64
COURT = Thresholds(0.001, 1.0, "dB")
GRINDABLE = {
    "well_formed": True, "bound": True, "hash_bound": True, "committed": True, "reason": None, "grindable": "clean",
}  # fmt: skip


def channel(agreed: int) -> dict[str, Any]:
    return {"hits": "1" * agreed + "0" * (N - agreed), "law": {"kind": "binomial", "p": 0.5}}


def examined(bits: int, clean: int = 32) -> Examined:
    """A model in which so many bits are read, by an R that reads so many of them in clean images."""
    seen = {"evidence": "bits", "channels": {"bits": channel(bits), "clean": channel(clean)}, "gates": {}}
    return Examined(seen | {"unreadable": None}, {"psnr": [30.0] * 4, "identity": [22.0] * 4})


def claimed(bits: int, clean: int = 32, nulls: int = 32, **admission: Any) -> Opinion:
    innocents = {OWN_POOL: [examined(nulls + index % 3) for index in range(8)]}
    return opinion(examined(bits, clean), innocents, GRINDABLE | admission, COURT)


def test_the_charge_is_the_rarity_of_the_best_fit() -> None:
    """60 of 64, or 4 of 64: one key in 2^43.7."""
    assert ground_bits([]) == ground_bits([channel(32)]) == 0
    assert ground_bits([channel(64)]) == ground_bits([channel(0)]) == 63
    assert ground_bits([channel(60)]) == ground_bits([channel(4)]) == ground_bits([channel(30), channel(60)]) == 44


def test_a_key_that_nobody_ground_is_believed_when_it_was_committed() -> None:
    """Uncommitted, 64 bits are too few for anybody: 2^64 secrets may have been tried."""
    found = claimed(60)
    assert (found.claim, found.claim_uncommitted) == ("accepted", "no-court")
    assert found.evidence.log10_p_key is not None
    assert found.evidence.log10_p_key < -10


@pytest.mark.parametrize("fitted", [*({"clean": bits} for bits in (64, 63, 60, 4, 0)), {"nulls": 60}])
def test_a_key_that_fits_what_is_read_anyway_proves_nothing(fitted: dict[str, int]) -> None:
    """An R that reads nearly the same bits everywhere, and a secret for which they are the claimant's.

    A perfect fit pays all it could prove, which is no fault of the court: others could win there.
    """
    found = claimed(60, **fitted)
    assert (found.claim, found.claim_uncommitted) == ("refused", "no-court")
    assert found.evidence.state != "present"


def test_what_the_suspect_shows_beyond_that_counts() -> None:
    """A key with 44 of 64 bits in clean images by luck or by 2^9 tries is charged these alone."""
    assert claimed(64, clean=44).claim == "accepted"
    lucky, other = (claimed(50, clean).evidence.log10_p_key for clean in (44, 32))
    assert lucky is not None
    assert other is not None
    assert other < -3 < lucky
    assert lucky - other == pytest.approx((9 - 1) * math.log10(2))  # a null with 34 of 64 costs 1 bit


@pytest.mark.parametrize("clean", [63, 64, 0])
def test_a_claim_by_a_ground_key_is_rejected(case: Any, clean: int) -> None:
    shared = case.scheme("toy")
    shared["fresh"] = case.judged("toy fresh", shared["marked"], [shared["marked"]], [examined(64).seen])
    nulls = [case.model("null", f"toy null {index}", [], wrong=8) for index in range(8)]
    shared["nulls"] = case.judged("toy nulls", shared["marked"], nulls, [examined(32).seen for _ in nulls])
    case.hit(shared, "toy", "ground", examined(64, clean).seen, kind="ambiguity", admission=GRINDABLE)
    (cell,) = case.board().at("toy", "ground")
    assert cell.verdict == cell.committed == Verdict("rejected", "evidence absent")


@pytest.mark.parametrize("channel", ["clear", "scores"])
def test_a_record_without_what_its_key_was_ground_by_is_refused(case: Any, channel: str) -> None:
    """Where there are no hits to charge for, no cell could be judged."""
    seen: Any = examined(64).seen
    seen["channels"]["scores"] = {"values": [0.5] * N}
    unread = {"evidence": "", "channels": {}, "gates": {}, "unreadable": "another shape"}
    case.judged("fine", "key", ["a", "b"], [seen, unread], GRINDABLE)
    case.read()
    case.judged("odd", "key", ["a", "b"], [seen, unread], GRINDABLE | {"grindable": channel})
    with pytest.raises(BenchError, match=f"no hits in the channel '{channel}'"):
        case.read()


def test_other_keys_are_not_charged() -> None:
    assert claimed(60, clean=60, grindable=None).claim == "accepted"
    late = claimed(64, clean=60, grindable=None, hash_bound=False)
    assert (late.claim, late.claim_uncommitted) == ("accepted", "accepted")
