"""An attack that names a channel is judged by it, on every model; a scheme without that channel by its own."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.analysis.compare import compare
from leaderboard.judge.board import Board
from leaderboard.pages.cell_facts import describe_cell

from ..conftest import ITEMS, NULL_HITS, observation


def signs(bits: int, carried: int) -> dict[str, Any]:
    """Bits re-derived from the filters, which no flipped scale changes, and those that the scales carry."""
    law = {"kind": "binomial", "p": 0.5}
    hits = {
        name: {"hits": "1" * n + "0" * (ITEMS - n), "law": law} for name, n in (("bits", bits), ("carried", carried))
    }
    return {"evidence": "bits", "channels": hits, "gates": {}, "unreadable": None}


def flipped(case: Any, evidence: str) -> dict[str, str]:
    """A scheme whose bits stay and whose carried signs go."""
    shared = case.scheme("passport")
    marked = shared["marked"]
    nulls = [case.model("null", f"passport null {index}", [], wrong=8) for index in range(len(NULL_HITS))]
    shared["fresh"] = case.judged("fresh passport", marked, [marked], [signs(100, 98)])
    shared["nulls"] = case.judged("nulls of passport", marked, nulls, [signs(50, 45 + hits) for hits in NULL_HITS])
    case.attack("flip", evidence=evidence)
    return dict(case.hit(shared, "passport", "flip", signs(100, 53)))


def only(board: Board) -> Any:
    (cell,) = board.at("passport", "flip")
    return cell


def test_the_verdict_rests_on_the_channel_that_the_attack_names(case: Any) -> None:
    flipped(case, "carried")
    cell = only(case.board())
    assert cell.verdict.word == "removed"
    assert (cell.before.total, cell.after.total) == (98, 53)
    assert cell.after.pools["clean"]["max"] == 45 + max(NULL_HITS)
    assert {name: (one.total, two.total) for name, (one, two) in cell.channels.items()} == {"bits": (100, 100)}
    said = describe_cell(case.board(), cell)
    assert "53/100 hits" in said
    assert "the channel carried, which this attack names" in said


def test_without_a_named_channel_it_is_the_scheme_s_own(case: Any) -> None:
    flipped(case, "")
    cell = only(case.board())
    assert (cell.verdict.word, cell.before.total, cell.after.total) == ("survived", 100, 100)


def test_other_thresholds_and_comparisons_read_the_same_channel(case: Any) -> None:
    flipped(case, "carried")
    board = case.board()
    ((_, verdict),) = board.at_thresholds(0.05, 5.0)
    assert verdict.word == only(case.board(alpha=0.05)).verdict.word
    record = case.store.read(only(board).jobs["judged"])
    record["result"]["observations"] = [signs(100, 97)]
    case.store.write(record)
    (change,) = compare(board, case.board()).changes
    assert next((test.what, test.beyond_chance) for test in change.tests) == ("evidence", True)


def test_a_scheme_that_lacks_the_channel_is_judged_by_its_own(case: Any) -> None:
    shared = case.scheme("adi")
    case.attack("flip", evidence="carried_bits")
    case.hit(shared, "adi", "flip", observation(96))
    (cell,) = case.board().at("adi", "flip")
    assert (cell.verdict.word, cell.after.total, cell.channel) == ("survived", 96, "")


@pytest.mark.parametrize(
    ("views", "wrong"),
    [
        (5, "views must be a list, not 5"),
        (None, "views must be a list, not None"),
        ([["x"]], "views number 0 must be a text"),
        (["carried", "carried"], "its views are not distinct"),
        (["bits"], "its views are not distinct"),
        (["turned"], "no channel for one of its views"),
    ],
)
def test_views_that_are_none_are_refused_with_their_record(case: Any, views: Any, wrong: str) -> None:
    case.hit(case.scheme("adi"), "adi", "prune", observation(96) | {"views": ["carried"]})
    assert case.board().at("adi", "prune")[0].after.tries == 2
    case.hit(case.scheme("adi"), "adi", "odd", observation(96) | {"views": views})
    with pytest.raises(BenchError, match=wrong):
        case.read()


def test_an_unreadable_suspect_counts_on_the_named_channel(case: Any) -> None:
    jobs = flipped(case, "carried")
    record = case.store.read(jobs["judged"])
    record["result"]["observations"] = [{"evidence": "", "channels": {}, "gates": {}, "unreadable": "another shape"}]
    case.store.write(record)
    cell = only(case.board())
    assert (cell.verdict.word, cell.verdict.reason, cell.channel) == ("removed", "another shape", "carried")
    assert cell.after.null_mean == 45 + sum(NULL_HITS) / len(NULL_HITS)


def test_innocents_are_read_on_it_too(case: Any) -> None:
    jobs = flipped(case, "carried")
    innocent = case.model("null", "the innocent", [], wrong=8)
    judged = case.judged("innocent flip", jobs["marked"], [innocent], [signs(50, 95)])
    seen = {"marked": jobs["marked"], "suspect": innocent, "judged": judged, "nulls": jobs["nulls"]}
    case.cell("passport", "flip", seen, innocent=True)
    (cell,) = case.board().at("passport", "flip", innocent=True)
    assert (cell.verdict.word, cell.after.total) == ("false-positive", 95)
