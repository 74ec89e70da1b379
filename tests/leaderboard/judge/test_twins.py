"""An unmarked net that was trained as long as the marked one: what is held against it, and what goes on without it."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.verdicts import Verdict


def cell(board: Board, attack: str) -> Cell:
    (found,) = board.at("adi", attack)
    return found


def twins(case: Any, wrong: int) -> dict[str, str]:
    """A scheme whose twin gets `wrong` of 400 answers wrong; its host 8, and scratch 40."""
    shared: dict[str, str] = case.scheme("adi")
    scratch = case.model("attacked", "another scratch", [], wrong=40)
    return shared | {"twin": case.model("twin", "twin of adi", [shared["marked"]], wrong), "scratch": scratch}


def test_fidelity_loss_and_scratch_are_held_against_a_net_that_was_trained_as_long(case: Any) -> None:
    case.hit(twins(case, wrong=4), "adi", "removed", 5, wrong=12)
    board = case.board()
    (found,) = board.schemes[0].fidelity
    assert (found.host, found.twin, found.marked) == (pytest.approx(0.98), pytest.approx(0.99), 1.0)
    assert found.drop is not None
    assert found.scratch is not None
    assert (found.drop.delta, found.scratch.delta) == (pytest.approx(-0.01), pytest.approx(0.09))
    assert found.scratch.state == "lost"
    one = cell(board, "removed")
    assert (one.utility.delta, one.against_twin.delta) == (pytest.approx(0.03), pytest.approx(0.02))
    (row,) = board.attacks
    assert (row.change, row.against_twin) == (pytest.approx(0.03), pytest.approx(0.02))


@pytest.mark.parametrize(("twin_wrong", "flags"), [(36, ("no-better-than-scratch",)), (0, ())])
def test_nothing_was_stolen_where_training_anew_is_as_good_as_the_twin(
    case: Any, twin_wrong: int, flags: tuple[str, ...]
) -> None:
    """Scratch gets 40 of 400 wrong, which the stolen net with all of them right does not excuse."""
    case.hit(twins(case, twin_wrong), "adi", "removed", 5)
    assert cell(case.board(), "removed").verdict == Verdict("removed", None, flags)


def test_a_twin_that_crashed_costs_no_verdict(case: Any) -> None:
    shared = case.scheme("adi")
    twin = case.model("twin", "twin of adi", [shared["marked"]], status="crashed", reason="ValueError: no")
    case.hit(shared | {"twin": twin}, "adi", "removed", 5)
    board = case.board()
    one, (found,) = cell(board, "removed"), board.schemes[0].fidelity
    assert (one.verdict, one.against_twin) == (Verdict("removed"), None)
    assert found.drop is not None
    assert (found.twin, found.drop.delta) == (None, pytest.approx(-0.02))
