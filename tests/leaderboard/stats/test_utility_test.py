"""Tango's test against known numbers, its symmetries and its edges."""

import math

import pytest

from leaderboard.stats.utility_test import CRITICAL, compare, does_the_job, paired, tango_z, utility


@pytest.mark.parametrize(
    ("losses", "gains", "n", "z", "state"),
    [
        (0, 0, 397, -2.8464, "kept"),
        (3, 2, 397, -2.1798, "kept"),
        (5, 1, 397, -1.3010, "unclear"),
        (8, 0, 397, 0.0215, "unclear"),
        (20, 4, 397, 1.7610, "lost"),
        (12, 10, 2000, -5.3464, "kept"),
    ],
)
def test_score_and_state_at_two_points(losses: int, gains: int, n: int, z: float, state: str) -> None:
    found = utility(losses, gains, n, 0.02)
    assert found.z == pytest.approx(z, abs=6e-5)
    assert found.state == state
    assert found.delta == (losses - gains) / n


@pytest.mark.parametrize(("budget", "most"), [(0.02, [3, 4, 5, 8]), (0.03, [6, 7, 9, 11])])
def test_most_losses_still_kept(budget: float, most: list[int]) -> None:
    kept = [[x for x in range(60) if utility(x, g, 397, budget).state == "kept"] for g in (0, 2, 4, 8)]
    assert [max(losses) for losses in kept] == most


def test_least_losses_lost() -> None:
    lost = [[x for x in range(60) if utility(x, g, 397, 0.02).state == "lost"] for g in (0, 2, 4, 8)]
    assert [min(losses) for losses in lost] == [13, 17, 20, 26]


def test_negative_budgets_mirror_positive_ones() -> None:
    assert tango_z(5, 9, 397, -0.01) == pytest.approx(-0.0080, abs=5e-5)
    for losses, gains, budget in [(5, 9, 0.01), (0, 0, 0.3), (0, 7, 0.02), (200, 100, 0.9)]:
        assert tango_z(losses, gains, 397, -budget) == pytest.approx(-tango_z(gains, losses, 397, budget))


def test_at_budget_zero_it_is_mcnemar() -> None:
    assert tango_z(20, 4, 397, 0.0) == pytest.approx(16 / math.sqrt(24))


@pytest.mark.parametrize(("losses", "gains", "n"), [(5, 1, 397), (0, 0, 397), (20, 4, 397), (0, 9, 50), (3, 3, 9)])
def test_interval_ends_where_the_score_is_critical(losses: int, gains: int, n: int) -> None:
    low, high = utility(losses, gains, n, 0.02).interval
    assert low < (losses - gains) / n < high
    assert tango_z(losses, gains, n, low) == pytest.approx(CRITICAL, abs=1e-6)
    assert tango_z(losses, gains, n, high) == pytest.approx(-CRITICAL, abs=1e-6)


def test_state_agrees_with_the_interval() -> None:
    for losses in range(0, 40):
        found = utility(losses, 3, 397, 0.05)
        low, high = found.interval
        assert found.state == ("kept" if high <= 0.05 else "lost" if low >= 0.05 else "unclear")


@pytest.mark.parametrize(("losses", "gains", "delta"), [(50, 0, 1.0), (0, 50, -1.0)])
def test_all_lost_or_all_gained_stays_within_one(losses: int, gains: int, delta: float) -> None:
    found = utility(losses, gains, 50, 0.02)
    low, high = found.interval
    assert -1 <= low <= delta <= high <= 1
    assert found.delta == delta


def test_no_items_say_nothing() -> None:
    found = utility(0, 0, 0, 0.02)
    assert (found.state, found.delta, found.interval) == ("unclear", 0.0, (-1.0, 1.0))


def test_no_change_at_budget_zero_says_nothing() -> None:
    assert tango_z(0, 0, 397, 0.0) == 0.0


def test_paired_outcomes() -> None:
    assert paired("110010", "101010") == (1, 1, 6)
    assert paired("1111", "0011") == (2, 0, 4)
    assert paired("", "") == (0, 0, 0)


def test_unpaired_outcomes_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        paired("110", "11")
    with pytest.raises(ValueError, match="strings of"):
        paired("1x0", "110")


def test_impossible_counts_and_budgets_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        tango_z(5, 6, 10, 0.02)
    with pytest.raises(ValueError, match="between -1 and 1"):
        tango_z(1, 1, 10, 2.0)


MOSTLY = "1" * 97 + "0" * 3  # the most frequent class is right about 97 of 100


@pytest.mark.parametrize(
    ("correct", "of_use"),
    [
        (MOSTLY, False),  # a net of zeros
        ("1" * 99 + "0", False),  # two more: z = 1.41
        ("1" * 100, True),  # three more, none fewer: z = 1.73
        ("0" * 3 + "1" * 97, False),  # as good elsewhere
    ],
)
def test_a_classifier_is_of_use_only_if_it_beats_the_most_frequent_class(correct: str, of_use: bool) -> None:
    seen = {"correct": correct, "majority": MOSTLY}
    assert does_the_job(seen) is of_use
    found = compare({"correct": MOSTLY}, seen, 5.0, "points")
    assert (found.state, found.useless) == (("kept", False) if of_use else ("lost", True))
    assert does_the_job({"correct": correct})  # a record of before, which does not know the class
    assert compare({"correct": MOSTLY}, {"correct": correct}, 5.0, "points").state == "kept"
