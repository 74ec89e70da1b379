"""Running single jobs in processes of their own, each with a role and a time limit.

A process serves either keyholders (owner and court), thieves, or insiders (the key-oracle lane) for its whole life,
so no attack outside that lane ever runs in a process that held a key. A job that raises, hangs, exits or takes its
process down costs no other job.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Literal

from benchmark.errors import BenchError
from benchmark.execution.worker import serve
from benchmark.planning.job import Job
from benchmark.vocabulary import JobRole

START_SECONDS = 300.0  # for a process to start and load the entry module, torch from a cold disk included
# One thread each, so that a sum has one order; one hash seed, so that a set of names has one order.
WORKER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}

Side = Literal["keyholder", "thief", "insider"]


@dataclass(frozen=True)
class Finished:
    """How one attempt at a job ended.

    `status` is a record's status, or "damaged": then `damaged` is the id of the parent whose artefact the job
    found missing or with a wrong checksum.
    """

    job: Job
    attempt: int
    status: str
    reason: str | None = None
    result: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    damaged: str | None = None


def side_of(role: JobRole) -> Side:
    return role if role in ("thief", "insider") else "keyholder"


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    log: Path
    ready: bool = False


@dataclass
class _Task:
    job: Job
    attempt: int
    side: Side
    worker: _Worker
    began: float
    deadline: float


class _Slot:
    def __init__(self, number: int) -> None:
        self.number = number
        self.workers: dict[Side, _Worker] = {}
        self.task: _Task | None = None


class LocalExecutor:
    """Spawned processes on this machine: `workers` slots, each with at most one process per side.

    `entry` names the function that does the work, `module:function`, called as `execute(job, context)` with a
    copy of `context`. It returns {"status", "reason", "result", "run"}, all JSON without NaN; or {"status":
    "damaged", "damaged": parent id, "reason"}. An exception means crashed, a MemoryError oom. Importing torch
    and setting its threads is the entry's part. Output goes to `<context["root"]>/logs/<side>-<slot>.log`.

    Create and use it from a thread that lives as long as it does: on Linux workers die with that thread. It never
    writes records.
    """

    def __init__(
        self, workers: int, context: Mapping[str, Any], entry: str = "benchmark.execution.job_runner:execute"
    ) -> None:
        if workers < 1:
            raise BenchError("At least one worker is needed: ask for 1 or more.")
        self._context = dict(context)
        self._entry = entry
        self._logs = Path(context["root"]) / "logs"
        self._slots = [_Slot(number) for number in range(workers)]

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def free_slots(self) -> int:
        return sum(slot.task is None for slot in self._slots)

    def submit(self, job: Job, attempt: int) -> None:
        """Start a job; only while `free_slots` is positive.

        `attempt` 2 means that it ran out of memory before: nothing else runs, and nothing may hold memory.
        """
        free = [slot for slot in self._slots if slot.task is None]
        if attempt > 1:
            self._stop_all(free)  # an idle process keeps the device memory of its last job
        side = side_of(job.role)
        slot = next((slot for slot in free if side in slot.workers), free[0])
        worker = slot.workers.get(side)
        if worker is None or worker.process.exitcode is not None:  # none yet, or it died while it was idle
            worker = slot.workers[side] = self._start(side, slot.number)
        now = time.monotonic()
        slot.task = _Task(job, attempt, side, worker, now, now + START_SECONDS)
        if worker.ready:
            _hand_over(slot.task)

    def wait(self, timeout: float) -> list[Finished]:
        """The jobs that ended, at the latest after `timeout` seconds; none while nothing has."""
        busy = [(slot, slot.task) for slot in self._slots if slot.task is not None]
        if not busy:
            return []
        left = min([timeout, *(task.deadline - time.monotonic() for _, task in busy)])
        signs = [sign for _, task in busy for sign in (task.worker.pipe, task.worker.process.sentinel)]
        connection.wait(signs, max(0.0, left))
        ended = []
        for slot, task in busy:
            finished = _look(task)
            if finished is None:
                continue
            slot.task = None
            ended.append(finished)
            # What failed may leave the process unfit, as a failed CUDA kernel does: start afresh.
            if finished.status not in ("ok", "not-applicable", "damaged"):
                _stop(slot.workers.pop(task.side))
        return ended

    def close(self) -> None:
        """Abandon what is running and free everything. Safe to call twice."""
        for slot in self._slots:
            slot.task = None
        self._stop_all(self._slots)

    def _stop_all(self, slots: list[_Slot]) -> None:
        for slot in slots:
            while slot.workers:
                _stop(slot.workers.popitem()[1])

    def _start(self, side: Side, number: int) -> _Worker:
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(f"The folder {self._logs} can't be made: {error.strerror}.") from error
        log = self._logs / f"{side}-{number}.log"
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        arguments = (theirs, self._entry, self._context, log, os.getpid())
        process = spawn.Process(target=serve, args=arguments, name=log.stem, daemon=True)
        with _environment(WORKER_ENVIRONMENT), _interrupts_held():
            process.start()
        theirs.close()
        return _Worker(process, ours, log)


def _hand_over(task: _Task) -> None:
    task.began = time.monotonic()
    task.deadline = task.began + task.job.timeout
    with suppress(BrokenPipeError):  # it died just now: the next look finds it dead
        task.worker.pipe.send(task.job)


def _look(task: _Task) -> Finished | None:
    """What became of a task, or None while it goes on. A result that arrived counts, however late."""
    worker = task.worker
    dead = worker.process.exitcode is not None  # asked before reading, so that nothing it sent is missed
    message: dict[str, Any] = {}
    try:
        if worker.pipe.poll():
            message = json.loads(worker.pipe.recv_bytes())
    except (EOFError, OSError):
        worker.process.join(1.0)
        dead = True
    if "outcome" in message:
        outcome = message["outcome"]
        outcome["run"]["log"] = worker.log.name
        return Finished(task.job, task.attempt, **outcome)
    if message.get("ready"):
        worker.ready = True
        _hand_over(task)
        return None
    run = {"seconds": time.monotonic() - task.began, "log": worker.log.name}
    if dead:
        return Finished(task.job, task.attempt, "killed", _death(worker.process.exitcode), run=run)
    if time.monotonic() < task.deadline:
        return None
    if not worker.ready:
        reason = f"The worker process did not start within {START_SECONDS:g} s."
        return Finished(task.job, task.attempt, "killed", reason, run=run)
    reason = f"It was stopped after its time limit of {task.job.timeout:g} s."
    return Finished(task.job, task.attempt, "timeout", reason, run=run)


def _death(exitcode: int | None) -> str:
    if exitcode is None:
        return "The worker process closed its connection in the middle of the job."
    if exitcode >= 0:
        return f"The worker process exited with code {exitcode} in the middle of the job."
    name = signal.Signals(-exitcode).name
    hint = ", often a sign that the machine ran out of memory" if name == "SIGKILL" else ""
    return f"The worker process was killed by {name}{hint}."


def _stop(worker: _Worker) -> None:
    """End a process and whatever it started: once it serves, it leads a process group."""
    pid = worker.process.pid
    with suppress(ProcessLookupError):
        if pid is not None and os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while a process starts: the child inherits the mask, so it never sees one."""
    resource_tracker.ensure_running()  # its own first start would lift the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
