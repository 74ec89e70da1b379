"""Naming cells: what `bench show` and `bench bundle` take, and the sentence where that is no cell or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.judge.board import Board
from leaderboard.pages.cell_facts import find_cells

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
