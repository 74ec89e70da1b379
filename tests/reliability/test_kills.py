"""Sixty kills at random moments of a run of 15 seconds: nothing is lost, damaged or made twice."""

from __future__ import annotations

from pathlib import Path

from reliability.faults import TOY, interrupted, kill, results, two_runs


def test_sixty_kills_and_two_runs_at_once(tmp_path: Path) -> None:
    TOY.finish(tmp_path / "whole")
    reference = results(TOY.store(tmp_path / "whole"))
    assert len(reference) == 45
    row = interrupted(TOY, reference, tmp_path / "killed", "SIGKILL", 60, kill)
    assert (row.tried, row.lost, row.damaged) == (60, 0, 0)
    row = two_runs(TOY, reference, tmp_path, 1)
    assert (row.tried, row.lost, row.damaged) == (1, 0, 0)
