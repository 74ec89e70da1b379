"""`bench run --attacks auto`: the members run as any attacks, and run.json says that the ensemble is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench import arguments, bench_here, copied

from benchmark.plugins import attack_sets
from benchmark.plugins.attack_sets import AUTO, AUTO_VERSION


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A folder with the unmarked and marked models of a finished run, and no run yet."""
    return copied(finished, tmp_path / "results")


def test_a_run_of_the_ensemble_shows_what_survives(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of its members stand for all."""
    some = {text: AUTO[text] for text in ("rearrange", "l2-shock", "jpeg(quality=50)")}
    monkeypatch.setitem(attack_sets.PRESETS, "auto", some)
    code, said, error = bench_here(*arguments(results, attacks="auto"))
    assert code == 0, said + error
    described = json.loads((results / "small" / "run.json").read_text())
    assert described["auto"]["version"] == AUTO_VERSION
    assert described["auto"]["members"] == [one["label"] for one in described["attacks"]]
    assert len(described["auto"]["members"]) == len(some)
    found = json.loads((results / "small" / "leaderboard.json").read_text())
    assert not {"crashed", "timeout", "oom"} & {cell["verdict"]["word"] for cell in found["cells"]}
    (best,) = found["auto"]["best"]
    by_member = {cell["attack"]: cell["verdict"] for cell in found["cells"] if not cell["innocent"]}
    assert best["verdict"] == by_member[best["attack"]]
    assert "Survival under auto" in said


def test_a_run_without_all_members_names_no_ensemble(results: Path) -> None:
    code, said, error = bench_here(*arguments(results, attacks="none,rearrange"))
    assert code == 0, said + error
    assert "auto" not in json.loads((results / "small" / "run.json").read_text())
    assert "Survival under auto" not in said
