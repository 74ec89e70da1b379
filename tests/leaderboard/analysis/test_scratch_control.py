"""Training anew on the published boards: docs/decisions.md says, cell by cell, where it has not lost a model's use."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from leaderboard.judge.published import PUBLISHED

PAGE = Path(__file__).parents[3] / "docs" / "decisions.md"
HEAD = "| board | task | seed | `scratch` reaches | not lost | against |"
WHOLE = "every one"


def cells() -> dict[str, list[dict[str, str]]]:
    """By board, its cells of training anew whose loss was measured."""
    found = defaultdict(list)
    for matrix in sorted(PUBLISHED.glob("*/matrix.csv")):
        with matrix.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["attack"] == "scratch" and row["innocent"] == "False" and row["utility_state"]:
                    found[matrix.parent.name].append(row)
    return found


def reached(rows: list[dict[str, str]]) -> str:
    (value,) = {row["accuracy"] for row in rows}  # one net, against all schemes of the seed
    return f"{float(value):.2f} dB" if rows[0]["unit"] == "dB" else f"{100 * float(value):.1f} %"


def exceptions() -> Iterator[str]:
    """A line of the table for each board, task and seed with a cell that is not lost."""
    for board, rows in cells().items():
        for task, seed in sorted({(row["task"], row["replicate"]) for row in rows}):
            those = [row for row in rows if (row["task"], row["replicate"]) == (task, seed)]
            kept = [row for row in those if row["utility_state"] != "lost"]
            labels = [row["scheme"].replace(",norm=house,epochs=0", "") for row in kept]
            against = WHOLE if len(kept) == len(those) else ", ".join(f"`{label}`" for label in sorted(labels))
            if kept:
                yield f"| {board} | {task} | {seed} | {reached(those)} | {len(kept)} of {len(those)} | {against} |"


def test_where_training_anew_is_not_lost_stands_in_the_decisions() -> None:
    table = PAGE.read_text().partition(HEAD)[2].partition("\n\n")[0].splitlines()[2:]
    assert table == list(exceptions())


def test_every_board_with_the_control_was_looked_at() -> None:
    assert {"quick", "quick-all", "fmnist", "cifar10-small"} <= cells().keys()
    assert all(rows for rows in cells().values())


@pytest.mark.parametrize("board", ["quick", "fmnist", "cifar10-small"])
def test_a_stolen_model_is_worth_having_on_the_boards_of_today(board: str) -> None:
    assert {row["utility_state"] for row in cells()[board]} == {"lost"}


@pytest.mark.parametrize(
    ("board", "task", "said"),
    [
        ("quick", "digits", "On digits `scratch` reaches {} with 18 labels"),
        ("fmnist", "fashion-mnist-small", "on Fashion-MNIST {} with 100"),
        ("cifar10-small", "cifar10-small", "on CIFAR-10 at reduced size {} with 200"),
        ("quick", "derain", "on derain {} with 2 pairs"),
    ],
)
def test_what_it_reaches_is_said_from_the_records(board: str, task: str, said: str) -> None:
    rows = [row for row in cells()[board] if row["task"] == task]
    values = sorted({float(row["accuracy"]) for row in rows})
    unit, factor, digits = (" dB", 1, 2) if rows[0]["unit"] == "dB" else (" %", 100, 1)
    low, high = (f"{factor * values[end]:.{digits}f}" for end in (0, -1))
    text = re.sub(r"\s+", " ", PAGE.read_text())
    assert said.format(f"{low} to {high}{unit}") in text
    assert f"{len({row['replicate'] for row in rows})} seeds" in text
