"""Groups of schemes: what an exact paired test over seeds tells apart, and how many seeds it would take."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.analysis.overview import overview, thieves
from leaderboard.analysis.separation import Placed, least_seeds, placed
from leaderboard.stats.seeds import seeds_to_separate, sign_p

HITS = {"held": 96, "broken": 5, "undecided": 17}


def groups(case: Any, **schemes: list[str]) -> dict[str, Placed]:
    """Of schemes that come to this under one attack, seed by seed."""
    case.run["profile"]["seeds"] = max(map(len, schemes.values()))
    for label, words in schemes.items():
        for seed, word in enumerate(words):
            case.hit(case.scheme(label, replicate=seed), label, "cut", HITS[word], replicate=seed)
    board = case.board()
    return {one.name: one for one in placed(board, thieves(board), [row.name for row in overview(board).rows])}


@pytest.mark.parametrize(
    ("wins", "losses", "p"), [(5, 0, 2 / 32), (6, 0, 2 / 64), (4, 1, 12 / 32), (3, 3, 1.0), (0, 0, 1.0), (0, 6, 2 / 64)]
)
def test_the_sign_test_is_exact_and_two_sided(wins: int, losses: int, p: float) -> None:
    assert sign_p(wins, losses) == pytest.approx(p)


def test_seeds_that_would_be_enough() -> None:
    assert seeds_to_separate(5, 0, 5, 0.05) == 6
    assert seeds_to_separate(4, 1, 5, 0.05) == 15  # 12 to 3: p=0.035
    assert seeds_to_separate(2, 2, 5, 0.05) is None
    assert least_seeds(1) is None
    assert [least_seeds(families) for families in (2, 4, 9)] == [6, 8, 11]


def test_six_seeds_tell_two_schemes_apart_and_five_do_not(case: Any) -> None:
    found = groups(case, firm=["held"] * 5, weak=["broken"] * 5)
    assert (found["firm"].best, found["weak"].group, found["weak"].needed) == (True, 1, 6)


def test_six_seeds_are_enough(case: Any) -> None:
    found = groups(case, firm=["held"] * 6, weak=["broken"] * 6)
    assert (found["firm"].group, found["weak"].group) == (1, 2)
    assert found["weak"].p == pytest.approx(2 / 64)


def test_undecided_seeds_separate_nothing(case: Any) -> None:
    found = groups(case, firm=["held"] * 6, open=["undecided"] * 6)
    assert (found["open"].wins, found["open"].losses, found["open"].group, found["open"].needed) == (0, 0, 1, None)


def test_all_pairs_are_adjusted_for(case: Any) -> None:
    """With three schemes there are three pairs, and 2/64 times two (Holm) is above 5 %."""
    found = groups(case, firm=["held"] * 6, half=["held"] * 3 + ["broken"] * 3, weak=["broken"] * 6)
    assert found["weak"].p == pytest.approx(3 * 2 / 64)
    assert {one.group for one in found.values()} == {1}


def test_equal_survivors_are_told_apart_by_dearer_thieves(case: Any) -> None:
    case.run["profile"]["seeds"] = 6
    for seed in range(6):
        for label, work in (("dear", 990), ("cheap", 5)):
            shared = case.scheme(label, replicate=seed)
            case.hit(shared, label, "cut", HITS["broken"], replicate=seed, operations=work)
            case.hit(shared, label, "trim", HITS["held"], replicate=seed, operations=2)
    board = case.board()
    found = {one.name: one for one in placed(board, thieves(board), [row.name for row in overview(board).rows])}
    assert (found["dear"].group, found["cheap"].group, found["cheap"].wins) == (1, 2, 6)
