"""Advice from published records: which boards speak, what follows from another thief, and on which cells it rests."""

from __future__ import annotations

import shlex
from statistics import median

import pytest

from benchmark.errors import BenchError
from leaderboard.analysis import advice as rules
from leaderboard.analysis.advice import advice
from leaderboard.analysis.situations import Released, released
from leaderboard.judge import published as boards
from leaderboard.judge.verdicts import BROKEN
from leaderboard.pages.cell_facts import find_cells
from leaderboard.pages.studies.advice import advice_page, as_json, commands
from leaderboard.pages.studies.protection import beginning
from leaderboard.pages.writers import markdown

from ..conftest import published_board

TASK, BOARD, LABELS = "fashion-mnist-small", "fmnist", 100  # a board that is judged fast, and what its thief has
OLDER = "fmnist-0.1"  # the same task by older code, whose thief has a label for every image


@pytest.mark.parametrize(
    ("labelled", "expected"),
    [
        (18, ["quick"]),  # the newest code
        (24, ["quick-all", "quick", "quick-0.1"]),  # the same thief on an older board, one with fewer on a newer
        (400, ["quick-0.1", "quick"]),  # the same thief on an old board, and one with fewer labels on a newer
        (500, ["quick"]),
        (100, ["quick", "quick-0.1"]),
        (0, ["quick"]),
    ],
)
def test_which_boards_speak_of_a_thief(labelled: int, expected: list[str]) -> None:
    spoken = rules._speakers(rules._by_task()["digits"], labelled)
    assert [one.name for one in spoken] == expected
    assert [one.standing(labelled) for one in spoken] == [
        "equal" if one.labelled == labelled else "weaker" if one.labelled < labelled else "stronger" for one in spoken
    ]


def test_reproductions_and_error_rates_compare_no_schemes() -> None:
    named = {one.name for those in rules._by_task().values() for one in those}
    assert named == {name for name in boards.board_names() if not name.startswith(("reproduce", "calibrate"))}


@pytest.mark.parametrize(
    ("labelled", "said", "older"),
    [
        (LABELS, "has as many labels.", []),
        # between the two boards' thieves, the older board's is the only one with more labels
        (LABELS + 1, "fewer labels: what he broke, yours breaks, too, if he has as many images in all", [OLDER]),
        (LABELS - 1, "more labels: what survived him survives yours, too, if yours has no more images in all", []),
    ],
)
def test_another_thief_is_said_and_nothing_is_extrapolated(labelled: int, said: str, older: list[str]) -> None:
    found = advice("weights", labelled, task=TASK)
    one, *others = found.records
    assert (one.name, one.labelled, found.silent) == (BOARD, LABELS, [])
    assert [other.name for other in others] == older
    page = markdown.page("Advice", advice_page(found))
    assert said in page
    assert f"yours has {labelled:,} with labels" in page
    survived = [scheme.survival for situation in one.situations for scheme in situation.schemes]
    own = [row.survival for seen in released(published_board(BOARD), "weights") for row in (*seen.best, *seen.others)]
    assert survived == own


@pytest.mark.parametrize("release", ["weights", "api"])
def test_the_numbers_are_those_of_the_cells(release: Released) -> None:
    (one,) = advice(release, LABELS, task=TASK).records
    names = ["asked", "answers"] if release == "api" else ["served", "read"]
    assert [situation.name for situation in one.situations] == names
    access = {row.label: row.described["access"] for row in one.board.attacks}
    broken = 0
    for situation in one.situations:
        assert ("weights" in map(access.__getitem__, situation.attacks)) == (release == "weights")
        for scheme in situation.schemes:
            if scheme.broken_by is None:
                continue
            broken += 1
            by = scheme.broken_by.attack.attack
            cells = [cell for label in scheme.settings for cell in find_cells(one.board, (label, by))]
            fell = [cell for cell in cells if cell.verdict.word in BROKEN]
            assert by in situation.attacks
            assert 2 * len(fell) > scheme.broken_by.attack.tally.judged
            assert scheme.broken_by.queries == median(cell.cost.queries for cell in fell if cell.cost)
            assert scheme.broken_by.loss == median(cell.utility.delta for cell in fell if cell.utility)
    assert broken


def test_another_budget_reads_the_records_anew() -> None:
    strict, lax = (advice("weights", LABELS, budget, TASK).records[0] for budget in (2.0, 20.0))
    assert (strict.track.budget, lax.track.budget) == (2.0, 20.0)
    words = [[cell.verdict.word for cell in one.board.cells] for one in (strict, lax)]
    assert words[0].count("undecided") > words[1].count("undecided")
    assert "16 of 18 cases" in markdown.page("", advice_page(advice("api", LABELS, 2.0, TASK)))


def test_every_command_opens_a_cell_at_the_same_budget() -> None:
    found = advice("weights", LABELS, 2.0, TASK)
    made = [shlex.split(one) for one in commands(found)]
    assert len(made) == len(found.records[0].situations[-1].schemes)
    for words in made:
        assert words[-4:] == ["--run", f"published:{BOARD}", "--budget", "2"]
        assert find_cells(found.records[0].board, words[2:4])


def test_a_beginning_is_the_shortest_that_no_other_has() -> None:
    known = ["prune(amount=0.3)", "prune(amount=0.5)", "prune-structured(amount=0.5)", "jpeg(quality=50)", "none"]
    assert [beginning(one, known) for one in known] == [
        "prune(amount=0.3", "prune(amount=0.5", "prune-structured", "jpeg", "none"
    ]  # fmt: skip


def test_a_budget_in_points_says_nothing_of_images() -> None:
    found = advice("api", 10, 2.0, "denoise")
    (one,) = found.records
    assert (one.situations[0].name, one.track.budget, one.standing) == ("image answers", 1.0, "stronger")
    assert "budget in points says nothing of denoise" in markdown.page("", advice_page(found))


def test_a_task_without_a_record_is_told_so() -> None:
    found = advice("weights", 10, 2.0, "svhn")
    assert (list(found.records), list(found.silent), commands(found)) == ([], ["svhn"], [])
    assert "No published record speaks of svhn: there are records of " in markdown.page("", advice_page(found))
    assert as_json(found)["silent"] == ["svhn"]


@pytest.mark.parametrize(
    ("labelled", "budget", "said"), [(-1, None, "-1 labelled images"), (10, 200.0, "between 0 and 100")]
)
def test_bad_numbers_are_one_sentence(labelled: int, budget: float | None, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        advice("weights", labelled, budget, "denoise")


def test_without_boards_the_sentence_says_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "board_names", list)
    rules._by_task.cache_clear()
    with pytest.raises(BenchError, match="run bench in a clone"):
        advice("weights", 10)
    rules._by_task.cache_clear()
