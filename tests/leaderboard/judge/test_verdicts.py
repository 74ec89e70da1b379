"""The order of the rules, the conjunction of evidence and gates, and the two courts of a false claim."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from leaderboard.judge.evidence import Evidence, weigh
from leaderboard.judge.verdicts import (
    Acceptance,
    Tally,
    Verdict,
    acceptance,
    cell_verdict,
    claim_verdict,
    innocent_verdict,
    missing_verdict,
)
from leaderboard.stats.utility_test import Utility, utility

from ..conftest import NULL_HITS

KEPT, LOST, OPEN = (utility(losses, gains, 397, 0.02) for losses, gains in [(3, 2), (20, 4), (5, 1)])


def observed(total: int) -> dict[str, Any]:
    channel = {"hits": "1" * total + "0" * (100 - total), "law": {"kind": "binomial", "p": 0.1}}
    return {"evidence": "labels", "channels": {"labels": channel}, "gates": {}, "unreadable": None}


def evidence(total: int) -> Evidence:
    return weigh(observed(total), {"clean": [observed(null) for null in NULL_HITS]}, 1e-3)


def by_nulls_alone(total: int) -> Evidence:
    seen = [observed(one) for one in (total, *NULL_HITS)]
    for one in seen:
        del one["channels"]["labels"]["law"]
    return weigh(seen[0], {"clean": seen[1:]}, 1e-3)


PRESENT, NEAR, SCARCE, ABSENT = evidence(96), evidence(16), by_nulls_alone(22), evidence(9)


def admission(**changes: Any) -> dict[str, Any]:
    sound = {"well_formed": True, "bound": True, "hash_bound": False, "committed": True, "reason": None}
    return {**sound, **changes}


@pytest.mark.parametrize(
    ("after", "change", "word", "reason"),
    [
        (PRESENT, KEPT, "survived", None),
        (PRESENT, OPEN, "survived", None),
        (ABSENT, LOST, "utility-lost", None),
        (NEAR, LOST, "utility-lost", None),
        (ABSENT, KEPT, "removed", None),
        (ABSENT, OPEN, "undecided", "utility"),
        (NEAR, KEPT, "undecided", "evidence"),
        (SCARCE, KEPT, "undecided", "nulls"),
        (NEAR, OPEN, "undecided", "both"),
        (SCARCE, OPEN, "undecided", "both"),
    ],
)
def test_cell(after: Evidence, change: Utility, word: str, reason: str | None) -> None:
    assert cell_verdict(PRESENT, after, change) == Verdict(word, reason)


@pytest.mark.parametrize("before", [NEAR, SCARCE, ABSENT])
def test_a_mark_that_was_never_there_comes_first(before: Evidence) -> None:
    for after, change in product([PRESENT, ABSENT], [KEPT, LOST]):
        assert cell_verdict(before, after, change).word == "embed-failed"


def test_unreadable_counts_as_removed_and_says_why() -> None:
    unreadable = {**observed(0), "channels": {}, "unreadable": "the layer's shape changed"}
    after = weigh(unreadable, {"clean": [observed(null) for null in NULL_HITS]}, 1e-3)
    assert cell_verdict(PRESENT, after, KEPT) == Verdict("removed", "the layer's shape changed")


def test_no_better_than_scratch_stands_beside_removed_only() -> None:
    assert cell_verdict(PRESENT, ABSENT, KEPT, scratch=KEPT).flags == ("no-better-than-scratch",)
    assert cell_verdict(PRESENT, ABSENT, KEPT, scratch=OPEN).flags == ()
    assert cell_verdict(PRESENT, PRESENT, KEPT, scratch=KEPT).flags == ()
    assert cell_verdict(PRESENT, ABSENT, OPEN, scratch=KEPT).flags == ()


def test_a_mark_in_a_model_that_lost_its_use_is_told_from_one_in_a_model_of_use() -> None:
    assert cell_verdict(PRESENT, PRESENT, LOST) == Verdict("survived", flags=("useless",))


@pytest.mark.parametrize(
    ("after", "gate", "change", "verdict"),
    [
        (PRESENT, KEPT, KEPT, Verdict("survived")),
        (PRESENT, LOST, KEPT, Verdict("unprovable", "gate lost: fidelity")),
        (PRESENT, LOST, LOST, Verdict("utility-lost")),
        (PRESENT, LOST, OPEN, Verdict("undecided", "utility")),
        (PRESENT, OPEN, KEPT, Verdict("undecided", "gate unclear: fidelity")),
        (PRESENT, OPEN, OPEN, Verdict("undecided", "gate unclear: fidelity")),
        (PRESENT, OPEN, LOST, Verdict("utility-lost")),
        (NEAR, LOST, KEPT, Verdict("unprovable", "gate lost: fidelity")),
        (NEAR, OPEN, KEPT, Verdict("undecided", "evidence")),
        (ABSENT, LOST, KEPT, Verdict("removed")),
        (ABSENT, OPEN, KEPT, Verdict("removed")),
    ],
)
def test_ownership_that_no_longer_works_has_not_survived(
    after: Evidence, gate: Utility, change: Utility, verdict: Verdict
) -> None:
    assert cell_verdict(PRESENT, after, change, gates={"fidelity": gate}) == verdict


def test_unprovable_counts_as_broken_and_is_flagged_as_removed_is() -> None:
    lost = cell_verdict(PRESENT, PRESENT, KEPT, gates={"fidelity": LOST}, scratch=KEPT)
    assert lost.flags == ("no-better-than-scratch",)
    assert (Tally.of([lost]).broken, Tally.of([lost]).withstood) == (1, 0)


@pytest.mark.parametrize(("gate", "reason"), [(LOST, "gate lost"), (OPEN, "gate unclear")])
def test_a_mark_that_no_court_would_have_believed_was_not_embedded(gate: Utility, reason: str) -> None:
    found = cell_verdict(PRESENT, PRESENT, KEPT, fresh_gates={"fidelity": gate})
    assert found == Verdict("embed-failed", f"{reason}: fidelity, before the attack")
    assert cell_verdict(PRESENT, PRESENT, KEPT, fresh_gates={"fidelity": KEPT}) == Verdict("survived")


def test_held_useless_and_broken_are_three_numbers() -> None:
    words = ["survived", "utility-lost", "rejected", "removed", "unprovable", "forged", "undecided", "no-court"]
    tally = Tally.of([*map(Verdict, words), Verdict("survived", flags=("useless",))])
    assert (tally.held, tally.useless, tally.broken, tally.undecided) == (2, 2, 3, 1)
    assert (tally.withstood, tally.judged, tally.left_out) == (4, 8, 1)


@pytest.mark.parametrize("status", ["crashed", "timeout", "oom", "not-applicable", "not-run"])
def test_missing_jobs_keep_their_word_and_reason(status: str) -> None:
    assert missing_verdict(status, "why") == Verdict(status, "why")


def test_a_killed_worker_counts_as_crashed() -> None:
    assert missing_verdict("killed", "SIGKILL") == Verdict("crashed", "SIGKILL")
    assert missing_verdict("killed", None) == Verdict("crashed", "the worker was killed")


@pytest.mark.parametrize(
    ("found", "gate", "word", "reason"),
    [
        (PRESENT, KEPT, "accepted", None),
        (PRESENT, OPEN, "unclear", "gate unclear: fidelity"),
        (PRESENT, LOST, "refused", "gate lost: fidelity"),
        (NEAR, KEPT, "unclear", "near the threshold"),
        (SCARCE, OPEN, "unclear", "too few nulls"),
        (NEAR, LOST, "refused", "gate lost: fidelity"),
        (ABSENT, KEPT, "refused", "evidence absent"),
        (ABSENT, OPEN, "refused", "evidence absent"),
    ],
)
def test_conjunction(found: Evidence, gate: Utility, word: str, reason: str | None) -> None:
    assert acceptance(found, {"fidelity": gate}) == Acceptance(word, reason)  # type: ignore[arg-type]


def test_every_gate_has_to_hold() -> None:
    assert acceptance(PRESENT, {"a": KEPT, "b": LOST}) == Acceptance("refused", "gate lost: b")
    assert acceptance(PRESENT, {}) == Acceptance("accepted")


def test_claims() -> None:
    accepted, refused, unclear = (acceptance(found, {}) for found in (PRESENT, ABSENT, NEAR))
    for required in (False, True):
        assert claim_verdict(admission(), accepted, commitment_required=required) == Verdict("forged")
        assert claim_verdict(admission(), refused, commitment_required=required).word == "rejected"
        undecided = claim_verdict(admission(), unclear, commitment_required=required)
        assert undecided == Verdict("undecided", "near the threshold")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"well_formed": False}, "the key is not well formed"),
        ({"bound": False}, "the key is not bound to its owner"),
        ({"bound": False, "reason": "not the bits of the secret"}, "not the bits of the secret"),
    ],
)
def test_an_inadmissible_key_is_rejected_however_strong(fault: dict[str, Any], reason: str) -> None:
    for required in (False, True):
        found = claim_verdict(admission(**fault), acceptance(PRESENT, {}), commitment_required=required)
        assert found == Verdict("rejected", reason)


def test_commitment_separates_the_two_courts() -> None:
    late = admission(committed=False)
    assert claim_verdict(late, acceptance(PRESENT, {}), commitment_required=False).word == "forged"
    strict = claim_verdict(late, acceptance(PRESENT, {}), commitment_required=True)
    assert strict == Verdict("rejected", "the key was not committed before the suspect existed")


@pytest.mark.parametrize(
    ("hash_bound", "committed", "word"),
    [(True, False, "rejected"), (True, True, "forged"), (False, False, "forged")],
)
def test_only_an_uncommitted_key_behind_a_hash_is_charged_its_search(
    case: Any, hash_bound: bool, committed: bool, word: str
) -> None:
    """30 of 100: what a search through 2^64 labellings easily finds."""
    shared = case.scheme("adi")
    case.hit(
        shared, "adi", "claim", 30, kind="ambiguity", admission=admission(hash_bound=hash_bound, committed=committed)
    )
    (cell,) = case.board().cells
    assert cell.verdict.word == word
    assert cell.committed.word == ("forged" if committed else "rejected")


def test_a_court_that_no_key_could_convince_says_nothing() -> None:
    for fault in ({}, {"bound": False}, {"committed": False}):
        for required in (False, True):
            found = claim_verdict(admission(**fault), Acceptance("no-court", "why"), commitment_required=required)
            assert found == Verdict("no-court", "why")


def test_innocents() -> None:
    assert innocent_verdict(PRESENT) == Verdict("false-positive")
    assert innocent_verdict(ABSENT) == Verdict("not-marked")
    assert innocent_verdict(SCARCE) == Verdict("not-marked", "too few nulls")
    assert innocent_verdict(PRESENT, {"fidelity": KEPT}) == Verdict("false-positive")
    assert innocent_verdict(PRESENT, {"fidelity": LOST}) == Verdict("not-marked", "gate lost: fidelity")
    assert innocent_verdict(PRESENT, {"fidelity": OPEN}) == Verdict("not-marked", "gate unclear: fidelity")


def test_verdicts_follow_the_state_alone() -> None:
    # a stronger p does not help a claim whose state says absent
    assert acceptance(replace(ABSENT, log10_p=-300.0), {}).word == "refused"
