"""Survival under `auto`: who stands for the ensemble, what counts as survived, and what its members add."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

import leaderboard
from leaderboard.analysis.auto import by_family, by_setting, gains, picks
from leaderboard.analysis.meetings import ensemble, meetings
from leaderboard.judge.board import Board
from leaderboard.pages.board_json import document
from leaderboard.pages.board_pages import markdown_pages
from leaderboard.pages.sections import results
from leaderboard.stats.tails import wilson

from ..conftest import UNREADABLE

MEMBERS = ("cut", "tune", "copy")
HELD, GONE, OPEN = 96, 5, 17  # hits of 100: present, absent, unclear
HOST = 1000  # counted work of training one host, in the made-up runs

Outcomes = Mapping[str, Mapping[str, Any]]  # by member: hits, wrong answers, counted work, status
Made = Callable[..., Board]


@pytest.fixture
def made(case: Any) -> Made:
    """A board of schemes with so many seeds, each with what its members do in each."""

    def build(*, members: tuple[str, ...] = MEMBERS, marked: int = HELD, **schemes: list[Outcomes]) -> Board:
        case.run["auto"] = {"version": 3, "members": list(members)}
        case.run["profile"]["seeds"] = max(map(len, schemes.values()))
        for label, seeds in schemes.items():
            for replicate, does in enumerate(seeds):
                shared = case.scheme(label, hits=marked, replicate=replicate)
                for member, one in does.items():
                    if "unfit" in one:
                        case.attack(member)
                        case.cell(label, member, {}, replicate, reason=one["unfit"])
                    else:
                        case.hit(shared, label, member, replicate=replicate, **one)
        return case.board()

    return build


def does(hits: Any = HELD, **more: Any) -> dict[str, Any]:
    return {"seen": hits, "operations": HOST // 10, **more}


def test_a_run_without_a_member_has_no_ensemble(made: Made) -> None:
    board = made(adi=[{"cut": does(), "tune": does()}])
    assert ensemble(board) is None
    assert [find(board) for find in (meetings, picks, by_family, gains)] == [[]] * 4
    assert document(board)["auto"] is None
    assert "auto.md" not in markdown_pages(board)


def test_one_member_that_breaks_the_mark_is_enough_and_the_cheapest_stands_for_all(made: Made) -> None:
    board = made(adi=[{"cut": does(), "tune": does(GONE, operations=HOST), "copy": does(GONE + 3)}])
    ((member, cell),) = picks(board)
    assert (member, cell.verdict.word) == ("copy", "removed")
    (row,) = by_setting(board)
    assert (row.survival.low, row.survival.high, row.survival.seeds) == (0, 0, 1)
    assert row.survival.interval == (0.0, wilson(0, 1)[1])
    assert row.members == [("copy", 1)]
    assert (row.queries, row.labelled, row.relative) == (0, 400, 0.1)


@pytest.mark.parametrize(
    ("outcomes", "member", "counts", "useless"),
    [
        ({"cut": does(90), "tune": does(60), "copy": does(70)}, "tune", (1, 1), 0),  # the least evidence
        ({"cut": does(90), "tune": does(60, wrong=80), "copy": does(70)}, "copy", (1, 1), 0),  # in a model of use
        ({"cut": does(90, wrong=80), "tune": does(GONE, wrong=80), "copy": does(70, wrong=80)}, None, (1, 1), 1),
        ({"cut": does(90), "tune": does(OPEN), "copy": does(60)}, "tune", (0, 1), 0),
        ({"cut": does(90), "tune": does(OPEN), "copy": does(GONE)}, "copy", (0, 0), 0),
    ],
    ids=["survived", "one is useless", "all are useless", "undecided", "broken"],
)
def test_the_member_that_gains_the_thief_most_stands_for_all(
    made: Made, outcomes: Outcomes, member: str | None, counts: tuple[int, int], useless: int
) -> None:
    board = made(adi=[outcomes])
    ((found, _),) = picks(board)
    assert member in (found, None)
    (row,) = by_setting(board)
    assert (row.survival.low, row.survival.high) == counts
    assert row.useless == useless


def test_a_member_without_an_outcome_leaves_a_seed_open_unless_another_breaks_the_mark(made: Made) -> None:
    stopped, unfit = does(status="timeout", reason="stopped after 60 s"), {"unfit": "needs passports"}
    board = made(
        open=[{"cut": does(), "tune": stopped, "copy": does()}],
        broken=[{"cut": does(GONE), "tune": stopped, "copy": does()}],
        apart=[{"cut": does(), "tune": unfit, "copy": does()}],
    )
    found = {row.name: (row.survival.low, row.survival.seeds, row.left_out) for row in by_setting(board)}
    assert found == {"open": (0, 0, 1), "broken": (0, 1, 0), "apart": (1, 1, 0)}


def test_a_model_that_no_court_can_judge_counts_for_nothing(made: Made) -> None:
    odd = UNREADABLE | {"opaque": "no net that the court knows computes this"}
    known = [{"cut": does(odd), "tune": does(), "copy": does()}, {one: does(odd) for one in MEMBERS}]
    (row,) = by_setting(made(adi=known))
    assert (row.survival.low, row.survival.seeds, row.left_out) == (1, 1, 1)


def test_a_mark_that_was_never_there_is_left_out(made: Made) -> None:
    (row,) = by_setting(made(marked=9, adi=[{"cut": does(GONE), "tune": does(GONE), "copy": does(GONE)}]))
    assert (row.survival.seeds, row.left_out) == (0, 1)


def test_survival_under_cheaper_thieves(made: Made) -> None:
    """Tiers of 1, 5, 25 and 100 % of training a host, and any."""
    (row,) = by_setting(
        made(adi=[{"cut": does(operations=5), "tune": does(GONE, operations=200), "copy": does(GONE, operations=3000)}])
    )
    assert [one.low for one in row.up_to] == [1, 1, 0, 0, 0]
    assert row.survival == row.up_to[-1]


def test_schemes_are_ordered_by_survival_and_equals_by_survival_under_cheaper_thieves(made: Made) -> None:
    whole = {"cut": does(), "tune": does(), "copy": does()}
    cheap, dear = whole | {"cut": does(GONE)}, whole | {"cut": does(GONE, operations=HOST)}
    board = made(cheap=[cheap, cheap], dear=[dear, dear], half=[whole, cheap], firm=[whole, whole])
    assert [row.name for row in by_family(board)] == ["firm", "half", "dear", "cheap"]
    assert [row[0] for row in results.ranked_schemes(board).rows] == ["firm", "half", "dear", "cheap"]
    assert results.headlines(board)[0][0] == "Survival under auto (version 3) on digits"
    assert results.headlines(board)[0][1].startswith("firm 2/2 [0.34, 1.00], half 1/2 [")


def test_the_fixed_member_is_chosen_by_the_other_seeds(made: Made) -> None:
    """Where `tune` breaks three seeds and `copy` the fourth, the thief who must choose loses the fourth."""
    by_tune = {"cut": does(), "tune": does(GONE), "copy": does()}
    by_copy = {"cut": does(), "tune": does(), "copy": does(GONE)}
    (row,) = by_setting(made(adi=[by_tune, by_tune, by_tune, by_copy]))
    assert (row.survival.low, row.survival.seeds) == (0, 4)
    assert row.fixed is not None
    assert (row.fixed.low, row.fixed.seeds) == (1, 4)


def test_one_seed_fixes_no_member(made: Made) -> None:
    (row,) = by_setting(made(adi=[{"cut": does(), "tune": does(GONE), "copy": does()}]))
    assert row.fixed is None


def test_a_family_is_counted_over_its_settings_and_seeds(case: Any, made: Made) -> None:
    whole = {"cut": does(), "tune": does(), "copy": does()}
    made(one=[whole, whole], two=[whole, whole | {"cut": does(GONE)}])
    for scheme in case.run["schemes"]:
        scheme["name"] = "toy"
    (row,) = by_family(case.board())
    assert (row.name, row.settings, row.survival.low, row.survival.seeds) == ("toy", 2, 3, 4)


def test_what_each_member_adds(made: Made) -> None:
    """`tune` breaks both, `cut` one of them, and `copy` none: `cut` adds nothing once `tune` is in."""
    board = made(
        adi=[{"cut": does(GONE), "tune": does(GONE), "copy": does()}],
        rose=[{"cut": does(), "tune": does(GONE), "copy": does()}],
    )
    found = {one.member: (one.broke, one.alone, one.added, list(one.families)) for one in gains(board)}
    assert found == {"tune": (2, 1, 2, ["adi", "rose"]), "cut": (1, 0, 0, ["adi"]), "copy": (0, 0, 0, [])}
    assert next(iter(found)) == "tune"


def test_every_page_shows_the_number(made: Made) -> None:
    whole = {"cut": does(), "tune": does(), "copy": does()}
    board = made(adi=[whole, whole | {"tune": does(GONE)}])
    pages = {name: page() for name, page in markdown_pages(board).items()}
    assert "| 1 | [adi](schemes/adi.md) | **1/2 \\[" in pages["leaderboard.md"]
    assert "| [adi](schemes/adi.md#setting-adi) | survived 1/2<br>**removed 1/2** |" in pages["auto.md"]
    assert "](auto.md)" in pages["leaderboard.md"]
    assert "What each member adds" in pages["auto.md"]
    found = document(board)["auto"]
    assert (found["version"], found["members"]) == (3, list(MEMBERS))
    assert found["families"][0]["survival"] == {"low": 1, "high": 1, "seeds": 2, "interval": list(wilson(1, 2))}
    assert [one["verdict"]["word"] for one in found["best"]] == ["survived", "removed"]
    rows = leaderboard.frame(board)
    rows = rows[rows.attack == "auto"]
    assert list(rows.verdict) == ["survived", "removed"]
    assert list(rows.kind) == ["auto", "auto"]
    assert rows.member.iloc[1] == "tune"
