"""One attempt at a job: how far its steps have come, and how it ended. The same wherever the steps are carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from benchmark.errors import BenchError
from benchmark.execution.outcomes import joined_results, joined_runs
from benchmark.planning.job import Job
from benchmark.vocabulary import JobStep


@dataclass(frozen=True)
class Finished:
    """How one attempt at a job ended.

    `status` is a record's status, or "damaged": then `damaged` is the id of the parent whose artefact the job
    found missing or with a wrong checksum. left: seconds of its time limit that it did not need.
    """

    job: Job
    attempt: int
    status: str
    reason: str | None = None
    result: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    damaged: str | None = None
    left: float = 0.0


@dataclass
class Attempt:
    """A job on its way.

    number: 2 where it ran out of memory before. steps: still to do here. left: seconds that it may still take. made:
    what the steps behind it found; run: how they ran.
    """

    job: Job
    number: int
    steps: tuple[JobStep, ...]
    left: float
    made: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def step(self) -> JobStep:
        return self.steps[0]

    def settle(self, outcome: Mapping[str, Any], seconds: float) -> Finished | None:
        """Take the outcome of the first step, and the time it took: None where another one comes next.

        outcome: status, reason, result, run and damaged, as `read_outcome` gives it, with the name of the log in `run`.
        """
        self.left -= seconds
        self.run = joined_runs(self.run, outcome["run"])
        self.made = joined_results(self.made, outcome["result"])
        self.steps = self.steps[1:]
        if outcome["status"] != "ok":
            reason, damaged = outcome["reason"], outcome["damaged"]
            return Finished(self.job, self.number, outcome["status"], reason, {}, self.run, damaged, self.left)
        if self.steps:
            return None
        return Finished(self.job, self.number, "ok", None, self.made, self.run, left=self.left)


def fresh_attempt(job: Job, number: int) -> Attempt:
    """An attempt at all of a job's steps."""
    return Attempt(job, number, job.steps, job.timeout)


class Trouble:
    """Why an executor can't go on: said only when everything that had ended was handed out."""

    def __init__(self) -> None:
        self._first: BenchError | None = None

    def ended(self, looks: Iterable[Callable[[], Finished | None]]) -> list[Finished]:
        """What the looks at running jobs find to have ended. Raises the first BenchError of all looks so far."""
        found = []
        for look in looks:
            try:
                if (one := look()) is not None:
                    found.append(one)
            except BenchError as error:
                self._first = self._first or error
        if not found:
            self.tell()
        return found

    def tell(self) -> None:
        if self._first is not None:
            raise self._first


class Executor(Protocol):
    """What carries out jobs, several at a time; closed at the end of a `with`.

    Submitting and waiting raise BenchError where it can't go on.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def free_slots(self) -> int:
        """How many jobs have a place now."""

    def free_for(self, job: Job, attempt: int = 1) -> bool:
        """Whether `submit` may be called now with these."""

    def trains(self, job: Job) -> bool:
        """Whether a job is of the sort that may have to wait while others go on: it trains on a GPU."""

    def submit(self, job: Job, attempt: int) -> None:
        """Start a job; only while `free_for` says so. attempt: 2 where it ran out of memory before."""

    def wait(self, timeout: float) -> list[Finished]:
        """The jobs that ended, at the latest after `timeout` seconds."""

    def close(self) -> None:
        """Abandon what is running and free everything. Safe to call twice."""
