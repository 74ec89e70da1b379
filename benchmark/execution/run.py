"""Carrying out a plan: run file, lock, workers, records. The pages are made from what this leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmark.errors import BenchError
from benchmark.execution.doctor import check_environment
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.progress import progress_for
from benchmark.execution.run_file import write_run_file
from benchmark.execution.scheduler import Summary, run_jobs
from benchmark.planning.job import Job
from benchmark.store.records import RecordStore
from benchmark.store.run_description import RunDescription

STORE = "store"  # the folder of records and artefacts, shared by every run under one results folder


@dataclass(frozen=True)
class Machine:
    """Where a plan runs; nothing here enters a result's name. Raises BenchError for a name that is no folder's.

    run: the folder of the pages, below `results`. device: auto, cpu or cuda.
    """

    results: Path
    run: str
    workers: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.run or self.run in (".", "..", STORE) or "/" in self.run:
            raise BenchError(f"--run {self.run!r} can't name a folder of results: use letters, digits, - and _")
        if self.workers < 1:
            raise BenchError(f"--workers must be at least 1, not {self.workers}")

    @property
    def folder(self) -> Path:
        return self.results / self.run

    @property
    def store(self) -> RecordStore:
        return RecordStore(self.results / STORE)


def carry_out(
    jobs: Sequence[Job],
    machine: Machine,
    console: Console,
    described: RunDescription | None = None,
    *,
    fresh: bool = False,
    retry: Sequence[str] = (),
) -> Summary:
    """Run the jobs that have no final record, and write `described`, if they are a run's, as its run file.

    `fresh` forgets every record of them first, `retry` those with these statuses.
    """
    store = machine.store
    with store.lock():
        if described is not None:
            write_run_file(machine.folder, described)
        for job in jobs:
            if fresh or (retry and store.status(job.id) in retry):
                store.discard(job.id)
        if not all(store.finished(job.id) for job in jobs):
            check_environment(machine.device)
        for path, reason in store.damaged:
            console.print(f"set aside {path.name}: {reason}; it will be made again", style="yellow", markup=False)
        context = {"root": str(store.root.absolute()), "device": machine.device}
        with LocalExecutor(machine.workers, context) as executor, progress_for(console) as progress:
            return run_jobs(jobs, store, executor, progress)


def refusals(jobs: Sequence[Job], store: RecordStore) -> list[str]:
    """A sentence for each owner who could not mark a model because a parameter, or what it names, is wrong.

    A scheme says so with a ValueError or a BenchError: a signature too long, too few images, a layer that isn't there.
    """
    sentences = []
    for job in jobs:
        record = store.read(job.id) if job.kind == "marked" else None
        if record is not None and record["status"] == "crashed":
            kind, _, message = str(record["reason"]).partition(": ")
            if kind in ("ValueError", "BenchError"):
                sentences.append(f"{job.label.removeprefix('marked ')}: {message.rpartition(' (')[0]}")
    return list(dict.fromkeys(sentences))
