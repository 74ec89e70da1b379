"""A store on which toy jobs run, and what was seen of them. Shared by the tests of the scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.execution.executor import Finished, LocalExecutor
from benchmark.execution.progress import JobCounts
from benchmark.execution.scheduler import Summary, run_jobs
from benchmark.planning.job import Job
from benchmark.store.records import Record, RecordStore


def run_one(executor: LocalExecutor, job: Job, attempt: int = 1) -> Finished:
    """How a job ended."""
    executor.submit(job, attempt)
    (finished,) = collect(executor, 1)
    return finished


def collect(executor: LocalExecutor, count: int) -> list[Finished]:
    """How the next `count` jobs ended."""
    ended: list[Finished] = []
    while len(ended) < count:
        ended += executor.wait(1.0)
    return ended


class Recorder(JobCounts):
    """Events as (name, label, ...) in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []

    def planned(self, jobs: Sequence[Job], cached: Sequence[Job], workers: int) -> None:
        self.seen.append(("planned", *(job.label for job in cached)))

    def started(self, job: Job) -> None:
        self.seen.append(("started", job.label))

    def finished(self, job: Job, record: Record) -> None:
        self.seen.append(("finished", job.label, record["status"]))

    def blocked(self, job: Job, ancestor: Job) -> None:
        self.seen.append(("blocked", job.label, ancestor.label))

    def postponed(self, job: Job, reason: str) -> None:
        self.seen.append(("postponed", job.label))

    def rebuilt(self, job: Job, reason: str) -> None:
        self.seen.append(("rebuilt", job.label, reason))

    def of(self, name: str) -> list[str]:
        return [event[1] for event in self.seen if event[0] == name]


class Bench:
    """A store, and runs of toy jobs on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = RecordStore(root)
        self.events = Recorder()

    def run(self, *jobs: Job, workers: int = 1, again: set[str] | None = None) -> Summary:
        self.events = Recorder()
        with LocalExecutor(workers, {"root": str(self.root)}, "toy_work:execute") as executor:
            return run_jobs(jobs, self.store, executor, self.events, again)

    def status(self, job: Job) -> str | None:
        record = self.store.read(job.id)
        return None if record is None else record["status"]

    def spoil(self, job: Job) -> None:
        import toy_work

        (toy_work.notes(self.root) / f"{job.id}.artefact").write_text("nonsense")
