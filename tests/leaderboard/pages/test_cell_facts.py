"""Naming cells: what `bench show` and `bench bundle` take, and the sentence where that is no cell or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.judge.board import Board
from leaderboard.judge.evidence import weigh
from leaderboard.pages.cell_facts import describe_cell, evidence_facts, find_cells

from ..conftest import NULL_HITS, observation

ROWS = ["adi(mode=scratch)", "adi(mode=finetune)", "rose(s=40)"]
COLUMNS = ["none", *(f"prune(amount=0.{tenths})" for tenths in (1, 2, 3, 4))]


@pytest.fixture
def board(case: Any) -> Board:
    for row in ROWS:
        shared = case.scheme(row)
        for column in COLUMNS:
            case.hit(shared, row, column, 96)
    return case.board()


@pytest.mark.parametrize(
    "words",
    [
        ["rose(s=40)", "prune(amount=0.3)"], ["rose", "prune(amount=0.3)"], ["rose × prune(amount=0.3)"],
        ["rose", "x", "prune(amount=0.3)"],
    ],
)  # fmt: skip
def test_a_cell_is_named_by_its_labels_or_by_their_beginning(board: Board, words: Sequence[str]) -> None:
    (found,) = find_cells(board, words)
    assert (found.scheme, found.attack) == ("rose(s=40)", "prune(amount=0.3)")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["adi"], "name a scheme and an attack, such as 'adi(mode=scratch)' none"),
        (["adi", ""], "name a scheme and an attack, such as 'adi(mode=scratch)' none"),
        (["rose", "none", "prune"], "name a scheme and an attack, such as 'adi(mode=scratch)' none"),
        (["adi", "none"], "'adi' is 2 schemes of this run: write one of 'adi(mode=scratch)', 'adi(mode=finetune)'"),
        (
            ["rose", "prune"],
            "'prune' is 4 attacks of this run: write one of "
            "'prune(amount=0.1)', 'prune(amount=0.2)', 'prune(amount=0.3)' and 1 more",
        ),
        (["rosse(s=40)", "none"], "this run has no scheme 'rosse(s=40)': did you mean rose(s=40)?"),
        (["unmarked rose", "none"], "this run has no cell 'unmarked rose × none': see its leaderboard.md"),
    ],
)
def test_words_that_name_no_cell_or_several(board: Board, words: Sequence[str], sentence: str) -> None:
    with pytest.raises(BenchError) as raised:
        find_cells(board, words)
    assert str(raised.value) == sentence


def viewed(bits: int, aligned: int) -> dict[str, Any]:
    """Two views of the evidence, and a channel that is none."""
    seen = observation(bits)
    seen["channels"]["bits_aligned"] = {"hits": observation(aligned)["channels"]["bits"]["hits"]}
    return {**seen, "views": ["bits_aligned"]}


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (viewed(9, 96), "bits 9/100, bits_aligned 96/100 (decided)"),
        (viewed(96, 9), "bits 96/100 (decided), bits_aligned 9/100"),
    ],
)
def test_every_view_is_shown_beside_the_evidence(case: Any, seen: dict[str, Any], said: str) -> None:
    shared = case.scheme("passport")
    nulls = case.store.read(shared["nulls"])
    nulls["result"]["observations"] = [viewed(hits, hits) for hits in NULL_HITS]
    case.store.write(nulls)
    case.hit(shared, "passport", "rearrange", seen)
    (cell,) = case.board().cells
    assert [*cell.channels] == ["carried"]  # that alone is never counted
    lines = [line.split(None, 2) for line in describe_cell(case.board(), cell).splitlines()]
    assert [line[2] for line in lines if line[:2] == ["every", "view"]] == [said]


def test_rarity_has_the_grade_of_its_p() -> None:
    drawn = {"kind": "redrawn", "totals": [9] * 400, "more": 0, "reached": 0}
    for law, grade in (({"kind": "binomial", "p": 0.1}, "exact"), (drawn, "extrapolated")):
        seen = observation(96)
        seen["channels"]["bits"]["law"] = law
        found = weigh(seen, {"clean": [observation(hits) for hits in NULL_HITS]}, 1e-3)
        assert dict(evidence_facts(found))["rarity"].endswith(f" bits {grade}")
