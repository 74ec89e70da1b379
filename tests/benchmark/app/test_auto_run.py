"""`bench run --attacks auto`: the members run as any attacks, and run.json says that the ensemble is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench import arguments, bench_here

from benchmark.plugins import attack_sets
from benchmark.plugins.attack_sets import AUTO, AUTO_VERSION


def test_a_run_of_the_ensemble_shows_what_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of its members stand for all."""
    some = {text: AUTO[text] for text in ("rearrange", "l2-shock", "jpeg(quality=50)")}
    monkeypatch.setitem(attack_sets.PRESETS, "auto", some)
    words = arguments(tmp_path, schemes="adi(n=40,k=16,epochs=3)", attacks="auto")
    code, said, error = bench_here(*words)
    assert code == 0, said + error
    described = json.loads((tmp_path / "small" / "run.json").read_text())
    assert described["auto"]["version"] == AUTO_VERSION
    assert described["auto"]["members"] == [one["label"] for one in described["attacks"]]
    assert len(described["auto"]["members"]) == len(some)
    found = json.loads((tmp_path / "small" / "leaderboard.json").read_text())
    assert not {"crashed", "timeout", "oom"} & {cell["verdict"]["word"] for cell in found["cells"]}
    (best,) = found["auto"]["best"]
    by_member = {cell["attack"]: cell["verdict"] for cell in found["cells"] if not cell["innocent"]}
    assert best["verdict"] == by_member[best["attack"]]
    assert "Survival under auto" in said


def test_a_run_without_all_members_names_no_ensemble(tmp_path: Path) -> None:
    code, said, error = bench_here(*arguments(tmp_path, schemes="adi(n=40,k=16,epochs=3)", attacks="none,rearrange"))
    assert code == 0, said + error
    assert "auto" not in json.loads((tmp_path / "small" / "run.json").read_text())
    assert "Survival under auto" not in said
