"""What tests of jobs share: toy jobs, and a store on which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy_bench import Bench

from benchmark.execution.executor import LocalExecutor
from benchmark.planning.job import Job


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Job]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import toy_work

    return toy_work.job


@pytest.fixture
def intruder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    """One worker, whose jobs do what they should not."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with LocalExecutor(1, {"root": str(tmp_path), "device": "cpu"}, "toy_intruder:execute") as executor:
        yield executor
