"""Two keys on one model: who wins before which court."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.analysis.disputes import disputes, ruling
from leaderboard.judge.verdicts import Acceptance
from leaderboard.pages.markdown import page
from leaderboard.pages.sections.sweeps import dispute_section

ADMISSION = {"well_formed": True, "bound": True, "hash_bound": True, "committed": False, "reason": None}
YES, NO, MAYBE = Acceptance("accepted"), Acceptance("refused", "evidence absent"), Acceptance("unclear", "too few")


def observation(hits: int, gate_wrong: int) -> dict[str, Any]:
    """`hits` of 100 bits, and `gate_wrong` of 400 images lost with the claimed key installed."""
    bits = {"hits": "1" * hits + "0" * (100 - hits), "law": {"kind": "binomial", "p": 0.1}}
    gate = {"before": "1" * 400, "after": "0" * gate_wrong + "1" * (400 - gate_wrong)}
    return {"evidence": "bits", "channels": {"bits": bits}, "gates": {"fidelity": gate}, "unreadable": None}


@pytest.mark.parametrize(
    ("owner", "thief", "committed", "winner", "why"),
    [
        (YES, YES, None, "undecided", "knows no order"),
        (YES, YES, (True, False), "owner", "the thief's key was not committed before the release"),
        (YES, YES, (False, True), "thief", "the owner's key was not committed before the release"),
        (YES, YES, (True, True), "undecided", "don't say which first"),
        (YES, YES, (False, False), "nobody", "no claim is accepted"),
        (YES, NO, None, "owner", "the thief's claim is refused: evidence absent"),
        (NO, YES, None, "thief", "the owner's claim is refused"),
        (NO, YES, (True, False), "nobody", "no claim is accepted; the thief's key was not committed"),
        (YES, MAYBE, None, "undecided", "the thief's claim is unclear: too few"),
        (YES, MAYBE, (True, False), "owner", "not committed"),
        (NO, NO, None, "nobody", "no claim is accepted"),
        (MAYBE, MAYBE, None, "undecided", "the owner and thief's claim"),
    ],
)
def test_rulings(
    owner: Acceptance, thief: Acceptance, committed: tuple[bool, bool] | None, winner: str, why: str
) -> None:
    found = ruling(owner, thief, committed)
    assert found.winner == winner
    assert why in found.why


def owned(case: Any, scheme: str = "adi") -> dict[str, str]:
    """A marked model whose key was committed before its release."""
    shared = case.scheme(scheme)
    record = case.store.read(shared["fresh"])
    assert record is not None
    case.store.write(record | {"result": record["result"] | {"admission": ADMISSION | {"committed": True}}})
    return shared


def test_an_accepted_forgery_is_undecided_without_commitment_and_the_owners_with_it(case: Any) -> None:
    shared = owned(case)
    case.hit(shared, "adi", "forge", observation(96, 0), kind="ambiguity")
    (found,) = disputes(case.board())
    assert (found.owner.word, found.thief.word) == ("accepted", "accepted")
    assert (found.open.winner, found.committed.winner) == ("undecided", "owner")
    text = page(case.board())
    assert "## Disputes" in text
    assert "Without commitment: undecided 1. With commitment: owner 1." in text


def test_a_refused_claim_loses_before_both_courts(case: Any) -> None:
    shared = owned(case)
    case.hit(shared, "adi", "gate", observation(96, 80), kind="ambiguity")
    case.hit(shared, "adi", "bits", observation(9, 0), kind="ambiguity")
    found = disputes(case.board())
    assert [one.open.winner for one in found] == [one.committed.winner for one in found] == ["owner", "owner"]
    assert "gate lost: fidelity" in found[0].open.why
    assert "evidence absent" in found[1].open.why


def test_a_mark_that_never_took_loses_to_a_forger_where_order_does_not_count(case: Any) -> None:
    shared = case.scheme("adi", hits=9)
    case.hit(shared, "adi", "forge", observation(96, 0), kind="ambiguity")
    (found,) = disputes(case.board())
    assert found.open.winner == "thief"
    assert found.committed.winner == "nobody"


@pytest.mark.parametrize("first", ["owner", "thief"])
def test_of_two_committed_keys_the_earlier_one_wins(case: Any, first: str) -> None:
    shared = owned(case)
    jobs = case.hit(
        shared, "adi", "forge", observation(96, 0), kind="ambiguity", admission=ADMISSION | {"committed": True}
    )
    record = case.store.read(jobs["judged"])
    assert record is not None
    ledger = [jobs["marked"], jobs["attacked"]]
    ledger = ledger if first == "owner" else ledger[::-1]
    case.store.write(record | {"job": record["job"] | {"ledger": ledger}})
    (found,) = disputes(case.board())
    assert (found.open.winner, found.committed.winner) == ("undecided", first)
    assert f"the {first}'s came first" in page(case.board())


def test_only_admissible_keys_dispute(case: Any) -> None:
    shared = owned(case)
    case.hit(shared, "adi", "unbound", observation(96, 0), kind="ambiguity", admission=ADMISSION | {"bound": False})
    case.hit(shared, "adi", "removal", 96)
    case.hit(shared, "adi", "crash", 5, kind="ambiguity", status="crashed", reason="no")
    board = case.board()
    assert disputes(board) == []
    assert dispute_section(board) == []
    assert "## Disputes" not in page(board)
