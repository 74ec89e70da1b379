"""A run of 45 toy jobs, about 15 seconds on two workers: `python tests/reliability/toy_run.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from benchmark.execution.executor import LocalExecutor
from benchmark.execution.progress import PlainProgress
from benchmark.execution.scheduler import run_jobs
from benchmark.planning.job import Job
from benchmark.store.records import RecordStore

sys.path.append(str(Path(__file__).parents[1] / "benchmark"))
from toy_work import job  # the fork server inherits the path


def plan() -> list[Job]:
    """Five hosts, four marked models of each, and a thief of every marked model."""
    hosts = [job(f"host {n}", "model", sleep=0.6) for n in range(5)]
    marked = [job(f"marked {m} of {host.label}", "model", (host,), sleep=0.6) for host in hosts for m in range(4)]
    return [*hosts, *marked, *(job(f"attacked {one.label}", "model", (one,), "thief", sleep=0.6) for one in marked)]


if __name__ == "__main__":
    root = Path(sys.argv[1])
    store = RecordStore(root)
    with store.lock(print), LocalExecutor(2, {"root": str(root)}, "toy_work:execute") as executor:
        run_jobs(plan(), store, executor, PlainProgress(Console()))
