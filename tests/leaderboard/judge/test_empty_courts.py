"""Claims before a court that no key of the scheme could convince: they say nothing, and no page counts them."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.vocabulary import CLAIM_KINDS
from leaderboard.judge.board import Board
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.opinion import Examined, opinion
from leaderboard.judge.verdicts import EMPTY, Verdict
from leaderboard.pages.sections.legend import LEGEND, legend
from leaderboard.pages.sections.results import headlines, ranked_attacks, ranked_schemes
from leaderboard.stats.null_tests import Closed, NullTest
from leaderboard.stats.reach import winnable
from leaderboard.stats.tails import NullPool

from ..conftest import ADMISSION, NULL_HITS, outcomes

LATE = "the key was not committed before the suspect existed"


def challenges(hits: int, fresh: tuple[int, ...], **further: int) -> dict[str, Any]:
    """KeyNet's: what fresh identities would score is counted with some of them, and with `further` ones by rank."""
    channel = {"hits": "1" * hits + "0" * (100 - hits), "law": {"kind": "redrawn", "totals": list(fresh), **further}}
    return {"evidence": "bits", "channels": {"bits": channel}, "gates": {}, "unreadable": None}


def verdicts(board: Board) -> dict[str, tuple[Verdict, Verdict | None]]:
    return {cell.attack: (cell.verdict, cell.committed) for cell in board.owners(*CLAIM_KINDS)}


@pytest.mark.parametrize("totals", [NULL_HITS, (100,) * 16])
def test_a_charged_key_with_few_fresh_ones_has_no_court(case: Any, totals: tuple[int, ...]) -> None:
    """16 fresh keys give no p below 2^-64 x alpha, whatever they scored: the true owner would be refused, too."""
    shared = case.scheme("keynet")
    case.hit(shared, "keynet", "forged-head", challenges(100, totals), kind="ambiguity")
    (found,) = verdicts(case.board()).values()
    assert found == (Verdict("no-court", EMPTY), Verdict("rejected", LATE))


@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-6])
@pytest.mark.parametrize("drawn", [{"most": 999}, {"more": 980, "most": 999}], ids=["few", "all"])
def test_nor_have_a_thousand_whose_rank_alone_counts(case: Any, alpha: float, drawn: dict[str, int]) -> None:
    """Of them all, 19 totals are known to predict from, also where no rank reaches alpha."""
    case.hit(case.scheme("keynet"), "keynet", "forged-head", challenges(100, (9,) * 19, **drawn), kind="ambiguity")
    (found,) = verdicts(case.board(alpha)).values()
    assert found == (Verdict("no-court", EMPTY), Verdict("rejected", LATE))


def test_the_two_courts_are_asked_apart(case: Any) -> None:
    """Seven fresh keys reach no alpha of 0.001 even uncharged, a law in closed form reaches it however charged."""
    shared, committed = case.scheme("keynet"), ADMISSION | {"committed": True}
    case.hit(shared, "keynet", "few", challenges(100, (9,) * 7), kind="ambiguity")
    case.hit(shared, "keynet", "in time", challenges(100, NULL_HITS), kind="ambiguity", admission=committed)
    case.hit(shared, "keynet", "exact", 50, kind="ambiguity")
    nobody = Verdict("no-court", EMPTY)
    assert verdicts(case.board()) == {
        "few": (nobody, nobody),
        "in time": (Verdict("forged"), Verdict("forged")),
        "exact": (Verdict("forged"), Verdict("rejected", LATE)),
    }


@pytest.mark.parametrize(("items", "open_to_some"), [(22, False), (23, True)])
def test_a_closed_law_is_asked_for_the_p_of_every_item(items: int, open_to_some: bool) -> None:
    """10^-22 x 2^64 is 0.0018, 10^-23 x 2^64 a tenth of that."""
    assert winnable(NullTest(Closed(items, 0.1), (), 64 * 0.30103), "count", items, 1e-3) is open_to_some


def test_nulls_alone_can_be_beaten_by_a_score_beyond_them_all() -> None:
    nulls = NullPool.of_scores([0.03, 0.04, 0.04, 0.02, 0.06, 0.01, 0.05, 0.03], 0.01)
    assert winnable(NullTest(None, (nulls,), 64 * 0.30103), "real", 40, 1e-3)
    few = NullPool.of_scores([0.03, 0.04, 0.02], 0.01)
    assert not winnable(NullTest(None, (few,), 0.0), "real", 40, 1e-3)


def test_they_count_nowhere_and_the_pages_say_so(case: Any) -> None:
    shared = case.scheme("keynet")
    case.hit(shared, "keynet", "forged-head", challenges(100, NULL_HITS), kind="ambiguity")
    board = case.board()
    tally = board.schemes[0].tallies["ambiguity"]
    assert (tally.judged, tally.left_out) == (0, 1)
    assert headlines(board)[0][1].startswith(
        "Ambiguity: 1 before a court that no key could convince, 0 forged where keys must be committed"
    )
    assert ranked_schemes(board).rows == [["keynet", "–", "1/1", "1"]]
    (part,) = ranked_attacks(board).parts
    assert part.rows[0][:2] == ["forged-head", "0/1"]  # no claim was judged, so no column counts them
    assert "no-court" in [row[0].text for row in legend(board).rows]  # type: ignore[union-attr]


def test_the_opinion_on_one_model_says_so_too() -> None:
    """Accepted if the key was committed early enough; before the other court nobody could win."""
    suspect = Examined(challenges(100, NULL_HITS), {"correct": outcomes(0)})
    nulls = {"clean": [Examined(challenges(hits, NULL_HITS), {"correct": outcomes(8)}) for hits in NULL_HITS]}
    found = opinion(suspect, nulls, ADMISSION, Thresholds(1e-3, 5.0))
    assert (found.claim, found.claim_uncommitted) == ("accepted", "no-court")


def test_survived_means_that_a_court_would_accept_the_claim() -> None:
    """Present evidence with a gate that refuses is `unprovable`."""
    assert LEGEND["survived"].startswith("the court would accept the owner's claim")
    assert "every gate kept" in LEGEND["survived"]
