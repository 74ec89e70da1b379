"""Scores of made-up boards: both ways of counting, worst cases, ranks and ties, cost to break, power."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from markdown_text import page, rows

from leaderboard.analysis.power import decidable, power
from leaderboard.analysis.ranking import Scores
from leaderboard.pages.cell_facts import describe_cell
from leaderboard.stats.utility_test import utility

HOSTILE = "a|b<script>`x`*y*"
HITS = {"held": 96, "broken": 5, "undecided": 17}


def fill(case: Any, scheme: str, attacks: dict[str, Sequence[str]], operations: dict[str, int] | None = None) -> None:
    """Cells of `scheme`: by attack, one word per seed; `failed` crashes."""
    seeds = max(len(words) for words in attacks.values())
    case.run["profile"]["seeds"] = seeds
    for seed in range(seeds):
        shared = case.scheme(scheme, replicate=seed)
        for attack, words in attacks.items():
            options: dict[str, Any] = {"operations": (operations or {}).get(attack, 10)}
            if words[seed] == "failed":
                options |= {"status": "crashed", "reason": "it broke"}
            case.hit(shared, scheme, attack, HITS.get(words[seed], 5), replicate=seed, **options)


def test_undecided_counts_both_ways(case: Any) -> None:
    fill(case, "adi", {"a": ["held"] * 3, "b": ["held", "undecided", "broken"]})
    (one,) = Scores(case.board()).standings("removal")
    assert (one.seeds, one.attacks, one.left_out) == (3, 2, 0)
    assert (one.low.mean, one.high.mean) == (pytest.approx(4 / 6), pytest.approx(5 / 6))
    assert (one.low.survivors, one.high.survivors) == (1, 2)
    assert (one.low.lowest, one.high.lowest) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert one.low.worst < one.high.worst < 0.368


def test_families_count_alike(case: Any) -> None:
    for attack in ("a", "b", "c"):
        case.attack(attack, family="pruning")
    fill(case, "adi", {"a": ["broken"], "b": ["broken"], "c": ["broken"], "d": ["held"]})
    (one,) = Scores(case.board()).standings("removal")
    assert one.low.mean == pytest.approx(0.5)
    assert one.low.interval is None


def test_an_attack_that_lacks_a_seed_is_left_out_and_counted(case: Any) -> None:
    fill(case, "adi", {"a": ["held"] * 3, "b": ["broken", "failed", "broken"]})
    (one,) = Scores(case.board()).standings("removal")
    assert (one.attacks, one.left_out, one.low.mean) == (1, 3, 1.0)
    assert one.low.worst == pytest.approx(0.05 ** (1 / 3))


def test_the_worst_case_is_that_of_what_a_thief_can_pay(case: Any) -> None:
    words = {"cheap": ["held"] * 3, "dear": ["broken"] * 3}
    fill(case, "adi", words, {"cheap": 10, "dear": 2000})
    scores = Scores(case.board())
    assert [row.tier for row in scores.columns("removal")] == [0, 4]
    (low,), (all_,) = scores.standings("removal", up_to=3), scores.standings("removal")
    assert (low.low.survivors, all_.low.survivors) == (3, 0)
    assert low.low.worst > 0.3 > all_.low.worst == 0.0


def many(good: int, seeds: int = 5) -> dict[str, list[str]]:
    """Ten attacks of which `good` are always withstood."""
    return {f"attack {index}": ["held" if index < good else "broken"] * seeds for index in range(10)}


def test_ranks_need_a_difference_beyond_chance(case: Any) -> None:
    for scheme, good in (("low", 1), ("high", 10), ("near", 9)):
        fill(case, scheme, many(good))
    ranked = Scores(case.board()).ranking("removal")
    assert [(one.standing.scheme, one.rank, one.tied) for one in ranked] == [
        ("high", 1, True), ("near", 1, True), ("low", 3, False),
    ]  # fmt: skip


@pytest.mark.parametrize(("seeds", "ranks"), [(1, [None, None]), (2, [None, None]), (3, [1, 2])])
def test_few_seeds_give_no_ranks(case: Any, seeds: int, ranks: list[int | None]) -> None:
    for scheme, good in (("low", 0), ("high", 10)):
        fill(case, scheme, many(good, seeds))
    ranked = Scores(case.board()).ranking("removal")
    assert [one.standing.scheme for one in ranked] == ["high", "low"]
    assert [one.rank for one in ranked] == ranks


def test_an_undecided_lead_is_no_lead(case: Any) -> None:
    """High is far above low only if its undecided cells are held."""
    fill(case, "low", many(1))
    fill(case, "high", {name: ["undecided"] * 4 + ["held"] for name in many(0)})
    ranked = Scores(case.board()).ranking("removal")
    assert [one.rank for one in ranked] == [1, 1]


def test_the_cheapest_attack_that_breaks_most_seeds(case: Any) -> None:
    words = {"sometimes": ["broken", "held", "held"], "mostly": ["broken", "broken", "held"], "always": ["broken"] * 3}
    fill(case, "adi", words, {"sometimes": 1, "mostly": 300, "always": 2000})
    fill(case, "hard", {name: ["held"] * 3 for name in words}, {"always": 2000})
    scores = Scores(case.board())
    found = scores.cost_to_break("adi", "removal")
    assert found is not None
    assert (found.attack, found.broken, found.seeds, found.tier) == ("mostly", 2, 3, 3)
    assert found.relative == pytest.approx(0.3)
    censored = scores.cost_to_break("hard", "removal")
    assert censored is not None
    assert (censored.attack, censored.tried, censored.dearest) == (None, 3, 2.0)
    assert scores.cost_to_break("adi", "extraction") is None


@pytest.mark.parametrize("budget", [0.02, 0.03])
@pytest.mark.parametrize("gains", [0, 2, 8])
def test_the_losses_that_could_have_been_decided(budget: float, gains: int) -> None:
    """One loss more than the largest that is kept is not kept; one less than the smallest that is lost is not lost."""
    net = [found for found in decidable(utility(5, gains, 397, budget)) if found is not None]
    kept, lost = (round(found * 397 / 100) + gains for found in net)
    states = [utility(losses, gains, 397, budget).state for losses in (kept, kept + 1, lost - 1, lost)]
    assert states == ["kept", "unclear", "unclear", "lost"]


def test_too_few_images_decide_nothing() -> None:
    assert decidable(utility(0, 0, 10, 0.05))[0] is None
    assert decidable(utility(0, 0, 1, 0.6)) == (None, None)


def test_power_tells_the_least_present_hit_rate(case: Any) -> None:
    fill(case, "adi", {"a": ["broken"]})
    board = case.board()
    (cell,) = board.owners()
    found = power(cell)
    assert found is not None
    assert cell.after is not None
    assert found.present == cell.after.theta / 100 == 0.21
    assert found.kept is not None
    assert found.lost is not None
    assert 0 < found.kept < 5 < found.lost
    assert f"a net loss up to {found.kept:.1f} points reads kept" in describe_cell(board, cell)


def test_the_page_ranks_only_with_several_seeds(case: Any) -> None:
    fill(case, "adi", {"a": ["held"]})
    text = page(case.board())
    assert "## Scores over seeds" not in text
    assert rows(text, "## Cost to break")[1] == ["adi", "not broken by 1 attack, up to 1 % of a host"]
    assert rows(text, "## Power")[1][:2] == ["removal", "1"]


def test_the_page_shows_scores_both_ways_and_ties(case: Any) -> None:
    fill(case, HOSTILE, {"a": ["held"] * 3, "b": ["held", "undecided", "held"]}, {"a": 1, "b": 300})
    fill(case, "other", {"a": ["held"] * 3, "b": ["held"] * 3}, {"a": 1, "b": 300})
    text = page(case.board())
    first, second = rows(text, "### Scores: Removal")[1:3]
    assert (first[0], first[1], second[0]) == ("1=", "other", "1=")
    assert first[4].startswith("1.00 \\[")
    assert second[4].count("\\[") == 2
    assert second[6] == "2–3/3 \\[0.21, 1.00\\]"
    assert "<script>" not in text
    assert "up to 0 (up to 1 %)" in text
