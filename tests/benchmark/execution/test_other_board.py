"""Which board a run of the same name takes the place of, and which one it sets aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.description import read
from benchmark.execution.run_file import keep_other_board, write_run_file
from benchmark.store.retry import retrying
from benchmark.store.run_description import RunDescription
from leaderboard.judge.run import described_run

PUBLISHED = Path(__file__).parents[3] / "leaderboard" / "published" / "reproduce-adi-small"
Change = Callable[[RunDescription], RunDescription]


@pytest.fixture
def described() -> RunDescription:
    return read(RunDescription, described_run(PUBLISHED))


@pytest.fixture
def folder(tmp_path: Path, described: RunDescription) -> Path:
    """A run with a page."""
    write_run_file(tmp_path / "quick", described)
    (tmp_path / "quick" / "leaderboard.md").write_text("the first board")
    return tmp_path / "quick"


def profile(**changes: object) -> Change:
    return lambda described: replace(described, profile=replace(described.profile, **changes))  # type: ignore[arg-type]


def without_a_scheme(described: RunDescription) -> RunDescription:
    first, *others = described.schemes
    cells = tuple(cell for cell in described.cells if cell.scheme != first.label)
    return replace(described, schemes=tuple(others), cells=cells)


SAME: list[Change] = [
    lambda described: described,
    profile(alpha=0.05, budget=2.0, timeout=9.0, about="another"),
    lambda described: replace(described, cells=(*described.cells, replace(described.cells[0], replicate=77))),
    lambda described: replace(described, jobs={}, version="9", command="bench run"),
]
OTHER: list[Change] = [
    lambda described: replace(described, cells=described.cells[1:]),
    without_a_scheme,
    lambda described: replace(described, reproduction=None),
    profile(task="another"),
    profile(nulls=99),
]


@pytest.mark.parametrize("change", SAME)
def test_a_board_that_the_new_one_includes_makes_room(folder: Path, described: RunDescription, change: Change) -> None:
    assert keep_other_board(folder, change(described)) is None
    assert folder.exists()


@pytest.mark.parametrize("change", OTHER)
def test_another_board_is_set_aside(folder: Path, described: RunDescription, change: Change) -> None:
    aside = folder.with_name("quick-1")
    assert keep_other_board(folder, change(described)) == aside
    assert not folder.exists()
    assert (aside / "leaderboard.md").read_text() == "the first board"


def test_each_board_gets_a_folder_of_its_own_and_a_damaged_one_is_kept(folder: Path, described: RunDescription) -> None:
    folder.with_name("quick-1").mkdir()
    (folder / "run.json").write_text(json.dumps(described.as_json())[:-9])
    assert keep_other_board(folder, described) == folder.with_name("quick-2")


def test_a_run_without_pages_has_no_board(folder: Path, described: RunDescription) -> None:
    (folder / "leaderboard.md").unlink()
    assert keep_other_board(folder, OTHER[0](described)) is None
    assert keep_other_board(folder.with_name("new"), described) is None


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("bench run --schemes 'rose(s=40)'", "bench run --schemes 'rose(s=40)' --retry damaged"),
        ("bench run --schemes 'rose", "bench run --schemes 'rose --retry damaged"),
        ("bench run --fresh --seeds 2", "bench run --seeds 2 --retry damaged"),
        ("bench run --retry crashed --seeds 2 --retry damaged", "bench run --seeds 2 --retry damaged"),
    ],
)
def test_a_command_is_repeated_for_what_is_damaged_alone(command: str, again: str) -> None:
    assert retrying(command, "damaged") == again
