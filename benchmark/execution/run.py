"""Carrying out a plan: manifest, lock, workers, records. The pages are made from what this leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmark.execution.doctor import check_device, check_environment
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.progress import progress_for
from benchmark.execution.run_file import write_manifest
from benchmark.execution.scheduler import Summary, run_jobs
from benchmark.planning.job import Job
from benchmark.planning.plan import Plan
from benchmark.store.records import RecordStore

STORE = "store"  # the folder of records and artefacts, shared by every run under one results folder


@dataclass(frozen=True)
class Machine:
    """Where a plan runs: nothing here enters a result's name."""

    results: Path
    run: str
    workers: int
    device: str  # auto, cpu or cuda

    @property
    def folder(self) -> Path:
        return self.results / self.run

    @property
    def store(self) -> RecordStore:
        return RecordStore(self.results / STORE)


def carry_out(
    plan: Plan,
    machine: Machine,
    described: dict[str, Any],
    console: Console,
    *,
    fresh: bool = False,
    retry: Sequence[str] = (),
) -> Summary:
    """Run what the plan lacks. `fresh` forgets every record of it first, `retry` those with these statuses."""
    store = machine.store
    with store.lock():
        write_manifest(machine.folder, described)
        for job in plan.jobs:
            if fresh or (retry and (store.read(job.id) or {}).get("status") in retry):
                store.discard(job.id)
        if not all(store.finished(job.id) for job in plan.jobs):
            check_environment()
            check_device(machine.device)
        return _finish(plan.jobs, store, machine, console)


def finish(jobs: Sequence[Job], machine: Machine, console: Console) -> Summary:
    """Run the jobs that have no final record, outside any run: no manifest, no pages."""
    store = machine.store
    with store.lock():
        check_environment()
        check_device(machine.device)
        return _finish(jobs, store, machine, console)


def refusals(jobs: Sequence[Job], store: RecordStore) -> list[str]:
    """A sentence for each owner who could not mark a model because a parameter, or what it names, is wrong.

    A scheme says so with a ValueError or a BenchError: a signature too long, too few images, a layer that isn't there.
    """
    sentences = []
    for job in jobs:
        record = store.read(job.id) if job.kind == "marked" else None
        if record is not None and record["status"] == "crashed":
            kind, _, message = record["reason"].partition(": ")
            if kind in ("ValueError", "BenchError"):
                sentences.append(f"{job.label.removeprefix('marked ')}: {message.rpartition(' (')[0]}")
    return list(dict.fromkeys(sentences))


def _finish(jobs: Sequence[Job], store: RecordStore, machine: Machine, console: Console) -> Summary:
    for path, reason in store.damaged:
        console.print(f"set aside {path.name}: {reason}; it will be made again", style="yellow", markup=False)
    context = {"root": str(store.root.absolute()), "device": machine.device}
    with LocalExecutor(machine.workers, context) as executor, progress_for(console) as progress:
        return run_jobs(jobs, store, executor, progress)
