"""Running a plan's jobs in order: parents first, the longest way to go first, each result written at once.

The driver process does this. It alone writes records, so no worker ever needs the store's lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

from benchmark.errors import BenchError
from benchmark.execution.attempt import Executor, Finished
from benchmark.execution.placement.job_queue import JobQueue
from benchmark.execution.progress import JobCounts
from benchmark.planning.job import Job
from benchmark.store.records import FINAL, Record, RecordStore, Status, fingerprint
from benchmark.store.results import check_record
from benchmark.vocabulary import IDENTITY, RECORD_SCHEMA

WAIT_SECONDS = 1.0


@dataclass
class Summary:
    """What a run came to. Every job is in `statuses` or in `blocked`."""

    statuses: dict[str, str] = field(default_factory=dict)  # of every job with a record, by id
    cached: set[str] = field(default_factory=set)  # of these, the ones no run had to repeat
    blocked: dict[str, str] = field(default_factory=dict)  # never run: id -> id of the ancestor that failed
    rebuilt: set[str] = field(default_factory=set)  # run again because their artefact was damaged


def run_jobs(
    jobs: Sequence[Job],
    store: RecordStore,
    executor: Executor,
    events: JobCounts,
    again: set[str] | None = None,
) -> Summary:
    """Run every job that has no final record and whose parents end ok; write a record for each.

    Among the jobs that could run, the one with the longest estimated way to the end of the plan goes first;
    ties go by plan order. A job that runs out of memory is run once more, with nothing beside it on its device, when
    no other could start there.
    Where a job finds a parent's artefact damaged, the parent is made again, once. Where a parent comes out with other
    artefacts than its children were given, they are made again.

    again: jobs to run although their record is final. Each is taken out of the set when its new record takes the
    place of the old one, which stays where the new attempt comes to no final end.

    `jobs` must hold every parent it names, also those finished long ago: ValueError otherwise, and
    graphlib.CycleError for a circle. Any exception, KeyboardInterrupt included, closes the executor: running
    jobs are abandoned, what finished is on disk. The caller holds `store.lock()`.
    """
    try:
        return _Run(jobs, store, executor, events, set() if again is None else again).to_end()
    except BaseException:
        executor.close()
        raise


def anything_to_do(jobs: Sequence[Job], store: RecordStore) -> bool:
    """Whether `run_jobs` would start anything: a job has no final record, or was made from what its parents were."""
    seen = _Seen()
    for job in jobs:
        record = store.read(job.id)
        if record is None or record["status"] not in FINAL:
            return True
        seen.note(record)
    return any(map(seen.is_outdated, jobs))


class _Seen:
    """What is known of the jobs with a record: how they ended, what they made, and what they say they were given."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}
        self.made: dict[str, Mapping[str, str]] = {}  # artefacts by role
        self.given: dict[str, str] = {}

    def note(self, record: Record) -> None:
        id = record["id"]
        self.statuses[id] = record["status"]
        self.made[id] = record["result"].get("artefacts", {})
        if "given" in record:
            self.given[id] = record["given"]

    def given_now(self, job: Job) -> dict[str, Mapping[str, str]]:
        return {parent: self.made[parent] for parent in job.parents}

    def is_outdated(self, job: Job) -> bool:
        """Whether a job ended ok with other artefacts of its parents than there are now.

        Where a parent is still to be made, that is seen when it has been.
        """
        if any(self.statuses.get(id) != "ok" for id in (job.id, *job.parents)):
            return False
        return job.id in self.given and self.given[job.id] != fingerprint(self.given_now(job))


class _Run:
    def __init__(
        self, jobs: Sequence[Job], store: RecordStore, executor: Executor, events: JobCounts, again: set[str]
    ) -> None:
        self.jobs = {job.id: job for job in jobs}
        self.store = store
        self.executor = executor
        self.events = events
        self.again = again
        self.seen = _Seen()
        self.summary = Summary(self.seen.statuses)
        self.queue = JobQueue(self.jobs, executor.trains)  # not started
        self.alone: list[str] = []  # out of memory at the first attempt
        self.running: dict[str, frozenset[str]] = {}  # and the parents rebuilt by the time it started

    def to_end(self) -> Summary:
        statuses, cached = self.summary.statuses, self.summary.cached
        for job in self.jobs.values():
            record = self.store.read(job.id)
            if record is not None and record["status"] in FINAL and job.id not in self.again:
                self._note(record)
                cached.add(job.id)
        for id in [id for id in self.jobs if id in cached and self.seen.is_outdated(self.jobs[id])]:
            self._forget(id)
        self.queue.begin(self.jobs.keys() - cached)
        done = [self.jobs[id] for id in self.jobs if id in cached]
        self.events.planned(list(self.jobs.values()), done, self.executor.free_slots)
        for job in done:
            if statuses[job.id] != "ok":
                self._block_children(job.id)
        while self._start_some() or self.running or self._waits_for_room():
            for finished in self.executor.wait(WAIT_SECONDS):
                self._settle(finished)
        return self.summary

    def _note(self, record: Record) -> None:
        self.seen.note(record)
        if record["status"] == "ok":
            self.queue.ended_ok(record["id"])

    def _forget(self, id: str) -> None:
        """Let a finished job count as one that has to run. Its record stays until there is a new one."""
        if self.summary.statuses.pop(id, None) == "ok":
            self.queue.forgotten(id)
        self.summary.cached.discard(id)

    def _start_some(self) -> bool:
        """Start what the executor has room for; whether anything was started."""
        started = False
        while self.executor.free_slots and (id := self.queue.take(self.executor.free_for)):
            self._start(id, attempt=1)
            started = True
        while self.executor.free_slots and (id := next(filter(self._may_start_alone, self.alone), None)):
            self.alone.remove(id)
            self._start(id, attempt=2)
            started = True
        return started

    def _waits_for_room(self) -> bool:
        """Whether a job could start if the executor had room: it may have none for a while, though nothing runs."""
        return self.queue.has_ready() or any(map(self.queue.is_ready, self.alone))

    def _may_start_alone(self, id: str) -> bool:
        return self.queue.is_ready(id) and self.executor.free_for(self.jobs[id], attempt=2)

    def _start(self, id: str, attempt: int) -> None:
        self.running[id] = frozenset(self.summary.rebuilt)
        self.executor.submit(replace(self.jobs[id], given=self.seen.given_now(self.jobs[id])), attempt)
        self.events.started(self.jobs[id])

    def _settle(self, finished: Finished) -> None:
        job = finished.job
        rebuilt_before = self.running.pop(job.id)
        if finished.status == "oom" and finished.attempt == 1:
            self.alone.append(job.id)
            self.events.postponed(job, "out of memory: it will run again with nothing beside it on its device")
            return
        if finished.status == "damaged":
            parent = finished.damaged
            if parent is not None and parent in job.parents and parent not in rebuilt_before:
                self._rebuild(parent, job, finished.reason)
                return
            finished = replace(finished, status="crashed", reason=self._beyond_repair(finished))
        record = _record(finished)
        if finished.status in FINAL or not self.store.finished(job.id):
            try:
                _check(record, job)
                self.store.write(record)
            except (TypeError, ValueError) as error:  # somebody else's code said what no record can hold
                finished = replace(finished, status="crashed", reason=f"What it found is {error}", result={}, run={})
                record = _record(finished)
                self.store.write(record)
            self.again.discard(job.id)
        self._note(record)
        self.events.finished(job, record)
        if finished.status != "ok":
            self._block_children(job.id)
            return
        for id in [id for id in (job.id, *self.queue.children[job.id]) if self.seen.is_outdated(self.jobs[id])]:
            self._forget(id)
            self.queue.add(id)
            self.events.rebuilt(self.jobs[id], "a model that it was made from came out different")

    def _rebuild(self, parent: str, job: Job, reason: str | None) -> None:
        """Have `parent` made again, unless a sibling asked for it while `job` ran, then run `job` again."""
        self.queue.add(job.id)
        self.events.postponed(job, f"{self.jobs[parent].label} is made again first")
        if parent not in self.summary.rebuilt:
            self._forget(parent)
            self.summary.rebuilt.add(parent)
            self.queue.add(parent)
            self.events.rebuilt(self.jobs[parent], reason or "its artefact is damaged")
        # A parent of either may have failed while the job ran.
        for id in {ancestor for child in (parent, job.id) for ancestor in self.jobs[child].parents}:
            if self.summary.statuses.get(id, "ok") != "ok" or id in self.summary.blocked:
                self._block_children(id)

    def _beyond_repair(self, finished: Finished) -> str:
        parent = self.jobs.get(finished.damaged or "")
        if parent is None or parent.id not in finished.job.parents:
            return f"It called {finished.damaged!r} damaged, which is none of its parents."
        return f"The artefact of {parent.label} was made again and is still damaged: {finished.reason}"

    def _block_children(self, failed: str) -> None:
        """Take out the waiting descendants of a job that did not end ok."""
        ancestor = self.summary.blocked.get(failed, failed)
        open_ids = list(self.queue.children[failed])
        while open_ids:
            id = open_ids.pop()
            if id in self.queue or id in self.alone:
                self.queue.discard(id)
                if id in self.alone:
                    self.alone.remove(id)
                self.summary.blocked[id] = ancestor
                self.events.blocked(self.jobs[id], self.jobs[ancestor])
                open_ids.extend(self.queue.children[id])


def _check(record: Record, job: Job) -> None:
    """Raise ValueError where no command could read what a job found."""
    try:
        check_record(record, job.kind, f"not what a {job.kind} job finds", "no page could be made of it")
    except BenchError as error:
        raise ValueError(str(error)) from None


def _record(finished: Finished) -> Record:
    job, ok = finished.job, finished.status == "ok"
    return {
        "schema": RECORD_SCHEMA,
        "identity": IDENTITY,
        "id": job.id,
        "kind": job.kind,
        "status": cast(Status, finished.status),  # "damaged" never comes this far
        "reason": None if ok else finished.reason,
        "job": dict(job.payload),
        "parents": list(job.parents),
        "given": fingerprint(job.given),
        "result": finished.result if ok else {},
        "run": {**finished.run, "finished": datetime.now(UTC).isoformat(timespec="seconds")},
    }
