"""A run beside another one: which settings are the same, what differs, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.analysis.side_by_side import side_by_side
from leaderboard.judge.board import Board
from leaderboard.pages.studies.side_by_side import about, as_json, short, write_beside

from ..conftest import Case


def board(folder: Path, parameters: dict[str, Any], version: str, hits: int = 96, **profile: Any) -> Board:
    """A run of one scheme and two attacks, of which `tune` has these parameters."""
    folder.mkdir()
    case = Case(folder)
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune", hits)
    case.hit(shared, "adi", f"tune({parameters})", 96)
    case.run["attacks"][-1]["stages"] = [{"name": "tune", "parameters": parameters}]
    case.run["version"] = version
    case.run["profile"].update(profile)
    return case.board()


def test_a_parameter_that_came_later_stands_at_its_default_where_it_is_not_named(tmp_path: Path) -> None:
    own = board(tmp_path / "own", {"lr": 0.1, "data": "bought"}, "0.6.0")
    old = board(tmp_path / "old", {"lr": 0.1}, "0.1.0")
    found = side_by_side(own, old, {"tune": {"lr": 0.5, "data": "bought"}})
    assert [(pair.attack[:5], list(pair.lacking), pair.differs) for pair in found.pairs] == [
        ("prune", [], False), ("tune(", ["data"], False),
    ]  # fmt: skip
    assert found.alone == (0, 0)
    others = side_by_side(own, old, {"tune": {"data": "labelled"}})
    assert ([pair.attack for pair in others.pairs], others.alone) == (["prune"], (1, 1))


def test_what_differs_is_said_on_the_page_the_terminal_and_in_json(tmp_path: Path) -> None:
    own = board(tmp_path / "own", {"lr": 0.1}, "0.6.0", hits=5, nulls=32)
    found = side_by_side(own, board(tmp_path / "old", {"lr": 0.1}, "0.1.0"), {})
    assert [pair.differs for pair in found.pairs] == [True, False]
    assert ("nulls", "32") in [one[:2] for one in found.settings]
    text = write_beside(found, tmp_path).read_text()
    assert "| prune | removed<br>" in text
    assert "survived<br>" in text.split("| prune |")[1].split("\n")[0]
    assert text.count("**verdict**") == 1
    assert "version 0.6.0" in text
    assert "version 0.1.0" in text
    assert [row[0] for row in short(found)[1].rows] == ["prune", "tune"]
    assert "2 squares are in both, and in 1 of them the marks fared otherwise" in str(about(found).text)
    assert [(one["own"], one["other"]) for one in as_json(found)["squares"]] == [
        (["removed"], ["survived"]), (["survived"], ["survived"]),
    ]  # fmt: skip


def test_runs_of_other_profiles_tasks_or_settings_are_refused(tmp_path: Path) -> None:
    own = board(tmp_path / "own", {"lr": 0.1}, "0.6.0")
    with pytest.raises(BenchError, match="of two profiles, made-up and other: put runs of the same one side by side"):
        side_by_side(own, board(tmp_path / "profile", {"lr": 0.1}, "0.6.0", name="other"), {})
    (tmp_path / "scheme").mkdir()
    stranger = Case(tmp_path / "scheme")
    stranger.hit(stranger.scheme("rose"), "rose", "prune", 96)
    with pytest.raises(BenchError, match="no scheme under an attack in common"):
        side_by_side(own, stranger.board(), {})
