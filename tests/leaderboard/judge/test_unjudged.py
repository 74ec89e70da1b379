"""Suspects that no court can judge have words of their own: neither removed nor held, on every page that names them."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.judge.decide import Thresholds
from leaderboard.judge.opinion import Examined, opinion
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import single_model, wording
from leaderboard.pages.cell_facts import describe_cell
from leaderboard.pages.export import matrix_csv
from leaderboard.pages.sections.legend import legend

from ..conftest import ADMISSION, NULL_HITS, UNREADABLE, observation, outcomes

INCONSISTENT = observation(5) | {"inconsistent": "the service answers 41 of 60 of the judge's images otherwise"}
OPAQUE = UNREADABLE | {"opaque": "no net that the court knows computes what the net of the builder 'mine' does"}
WORDS = pytest.mark.parametrize(("seen", "word"), [(INCONSISTENT, "inconsistent"), (OPAQUE, "unreadable")])


@WORDS
def test_neither_removed_nor_held_whatever_the_utility(case: Any, seen: dict[str, Any], word: str) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "useful", seen)
    case.hit(shared, "adi", "useless", seen, wrong=200)
    case.hit(shared, "adi", "claimed", seen, kind="ambiguity")
    board = case.board()
    reason = seen.get("inconsistent") or seen["opaque"]
    assert [(cell.verdict.word, cell.verdict.reason) for cell in board.cells] == [(word, reason)] * 3
    tally = Tally.of(cell.verdict for cell in board.cells)
    assert (tally.held, tally.broken, tally.judged, tally.left_out) == (0, 0, 0, 3)
    assert f"verdict                {word}" in describe_cell(board, board.cells[0])
    assert [row[0].text for row in legend(board).rows if row[0].text in ("inconsistent", "unreadable")] == [word]


@WORDS
def test_an_inadmissible_or_late_claim_is_rejected_all_the_same(case: Any, seen: dict[str, Any], word: str) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "claimed", seen, kind="ambiguity")
    case.hit(shared, "adi", "unbound", seen, kind="ambiguity", admission=ADMISSION | {"bound": False})
    late, unbound = case.board().cells
    assert (late.verdict.word, late.committed.word) == (word, "rejected")
    assert unbound.verdict.word == "rejected"


@WORDS
def test_a_key_that_does_not_fit_the_net_is_what_it_was(case: Any, seen: dict[str, Any], word: str) -> None:
    """A scheme's own `Unreadable` is evidence that is absent, and a mark that was never there is no attack's doing."""
    shared, weak = case.scheme("adi"), case.scheme("weak", hits=10)
    case.hit(shared, "adi", "pruned", UNREADABLE)
    case.hit(weak, "weak", "wrapped", seen)
    pruned, wrapped = case.board().cells
    assert (pruned.verdict.word, wrapped.verdict.word) == ("removed", "embed-failed")


@WORDS
def test_verify_says_so_and_accepts_nothing(seen: dict[str, Any], word: str) -> None:
    nulls = {"clean": [Examined(observation(hits), {"correct": outcomes(8)}) for hits in NULL_HITS]}
    found = opinion(Examined(seen, {"correct": outcomes(0)}), nulls, ADMISSION, Thresholds(1e-3, 5.0))
    assert (found.verdict, found.claim, found.claim_uncommitted) == (word, "unclear", "unclear")
    said = dict(single_model.describe(found, ADMISSION, 1e-3))
    assert said["verdict"].startswith(f"{word} (")
    assert single_model.as_json(found, ADMISSION, 1e-3, 5.0)["reason"] == (seen.get("inconsistent") or seen["opaque"])


def test_key_images_in_the_thief_s_hands_are_counted_and_flagged(case: Any) -> None:
    shared = case.scheme("rose")
    jobs = [case.hit(shared, "rose", name, 96)["judged"] for name in ("owner-pool", "own-pool", "before")]
    for job, held in zip(jobs, (36, 0), strict=False):
        record = case.store.read(job)
        record["result"]["overlap"] = {"held": held, "of": 40}
        case.store.write(record)
    board = case.board()
    assert [cell.verdict.flags for cell in board.cells] == [("key-in-pool",), (), ()]
    assert [wording.square([cell])[-1] for cell in board.cells[:2]] == ["key-in-pool: 36 of 40", "0.0"]
    assert "36 of 40 were among the thief's own images" in describe_cell(board, board.cells[0])
    head, *rows = matrix_csv(board).splitlines()
    held = [dict(zip(head.split(","), row.split(","), strict=False))["key_images_held"] for row in rows]
    assert held == ["36", "0", ""]


def test_a_board_from_before_has_no_column_for_them(case: Any) -> None:
    case.hit(case.scheme("rose"), "rose", "prune", 96)
    assert "key_images" not in matrix_csv(case.board())
