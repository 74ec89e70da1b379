"""What a person is told of a run before its first job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench import PROFILE, arguments, bench_here

from benchmark.app import planned_run
from benchmark.errors import BenchError


@pytest.mark.parametrize(("epochs", "long"), [(2, False), (1_000_000, True)])
def test_a_run_of_more_than_an_hour_says_so_before_its_first_job(
    epochs: int, long: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_job(*_: Any, **__: Any) -> None:
        raise BenchError("the first job")

    monkeypatch.setattr(planned_run, "carry_out", first_job)
    profile = tmp_path / "own.toml"
    lines = PROFILE.read_text().splitlines()
    profile.write_text("\n".join(f"epochs = {epochs}" if line.startswith("epochs") else line for line in lines))
    words = [*arguments(tmp_path / "results", "--workers", "2", attacks="none"), "--profile", str(profile)]
    _, said, stopped = bench_here(*words)
    assert stopped == "the first job"
    said = " ".join(said.split())
    assert ("This run takes about " in said) == long
    assert ("h " in said and "on 2 workers, from counted operations at " in said) == long

    code, planned, _ = bench_here("plan", *words[1:], "--json")
    to_do = json.loads(planned)["to_do"]
    assert (code, to_do["seconds"] > 3600) == (0, long)
    assert to_do["basis"].startswith("from counted operations at ")
