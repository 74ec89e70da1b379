"""Running single jobs in processes of their own, each with a role and a time limit.

A process serves either keyholders (owner and court), thieves, or insiders (the key-oracle lane) for its whole life,
so no attack outside that lane ever runs in a process that held a key. A step of a job that runs somebody else's code
has a process of its own, which ends with it. A job that raises, hangs, exits or takes its process down costs no other.
"""

from __future__ import annotations

import errno
import json
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError
from benchmark.execution.attempt import Attempt, Executor, Finished, Trouble, fresh_attempt
from benchmark.execution.outcomes import death, read_outcome
from benchmark.execution.placement.devices import CPU, Device
from benchmark.execution.placement.host import MemoryKills
from benchmark.execution.placement.placement import Placement
from benchmark.execution.placement.slots import Slot, idle_mb, make_room
from benchmark.execution.processes.compiler_cache import cache_folder
from benchmark.execution.processes.lease import Lease, Zygote
from benchmark.execution.walls import FOLDERS, Side, has_foreign_suspect, has_own_process, side_of_step, walls
from benchmark.planning.job import Job
from benchmark.vocabulary import JobStep

START_SECONDS = 300.0  # for a process to start, the import of torch from a cold disk included


@dataclass
class _Task(Attempt):
    """An attempt, and the process of the step that is its next.

    own: the process serves this step alone. waiting: for the process to start. warm: every process of it had been
    started before.
    """

    warm: bool = True
    side: Side = field(init=False)
    worker: Lease = field(init=False)
    own: bool = field(init=False)
    waiting: bool = field(init=False)
    nonce: str = field(init=False)
    began: float = field(init=False)
    deadline: float = field(init=False)
    suspect: Lease | None = None


class _Slot(Slot):
    task: _Task | None = None


class LocalExecutor(Executor):
    """Processes on this machine: `workers` slots, each with a device and at most one lasting process per side.

    `entry` names the function that does the work, `module:function`, called as `execute(job, step, made, context,
    suspects)` for each of the job's steps, with the result of the step before, a copy of `context`, and where the
    suspect may need somebody else's code a connection to its process (`suspect_process`). It returns {"status",
    "reason", "result", "run"}, all JSON without NaN; or {"status": "damaged", "damaged": parent id, "reason"}. An
    exception means crashed, or oom. Setting torch's threads is the entry's part. Output goes to
    `<context["root"]>/logs/<side>-<slot>.log`.

    context: root, the store's folder; `data`, by task and split the files that only their party may read, with the raw
    ones as "source"; hidden, what nobody but the benchmark's own keyholders may read; memory_mb, what each process may
    take beyond its imports, or None. It never writes records.

    placement: the devices of the slots, and which job may start where. None: `context["device"]` serves all.
    """

    def __init__(
        self, workers: int, context: Mapping[str, Any], entry: str = "benchmark.execution.job_runner:execute",
        placement: Placement | None = None,
    ) -> None:  # fmt: skip
        if workers < 1:
            raise BenchError("At least one worker is needed: ask for 1 or more.")
        self._machine = dict(context)
        self._data = self._machine.pop("data", {})
        self._hidden = [Path(path) for path in self._machine.pop("hidden", ())]
        self._memory_mb = self._machine.pop("memory_mb", None)
        self._entry = entry
        self._root = Path(context["root"])
        self._placement = placement or Placement([Device(context.get("device", CPU))], workers)
        self._memory_kills = MemoryKills()
        self._trouble = Trouble()
        self._slots = [_Slot(number, device.name) for number, device in enumerate(self._placement.devices)]
        self.zygote = Zygote(
            [entry.partition(":")[0], "benchmark.execution.worker"], self._root / "logs" / "zygote.log"
        )

    @property
    def free_slots(self) -> int:
        return sum(slot.task is None for slot in self._slots)

    def free_for(self, job: Job, attempt: int = 1) -> bool:
        """Whether `submit` may be called now: a slot is free on a device that has room for the job."""
        return self._place(job, attempt) is not None

    def trains(self, job: Job) -> bool:
        """Whether a job trains on a GPU: of those that do only the most urgent need be asked `free_for`."""
        return self._placement.trains(job)

    def submit(self, job: Job, attempt: int) -> None:
        """Start a job; only while `free_for` says so.

        `attempt` 2 means that it ran out of memory before: nothing else runs on its device, and nothing may hold memory
        there. Raises BenchError where no process can be started.
        """
        self.take_over(fresh_attempt(job, attempt))

    def take_over(self, attempt: Attempt) -> None:
        """Start the steps of an attempt, whoever carries out the others: as `submit` does for all of them.

        What a party made stays in `work` where the court's step is not among them.
        """
        job, alone = attempt.job, attempt.number > 1
        device = self._place(job, attempt.number)
        if device is None:
            raise ValueError(f"there is no room for {job.label}")
        if alone:
            self.rest(device)
        free = [slot for slot in self._slots if slot.task is None and slot.device == device]
        side = side_of_step(job, attempt.step)
        slot = next((slot for slot in free if side in slot.workers), free[0])
        task = _Task(job, attempt.number, attempt.steps, attempt.left, attempt.made, attempt.run)
        self._placement.began(job, device, alone)
        self._begin(slot, task)
        slot.task = task

    def rest(self, device: str | None = None) -> None:
        """End the idle processes, of one device or of all: each keeps the device memory of its last job."""
        self._stop_all([slot for slot in self._slots if slot.task is None and device in (None, slot.device)])

    def _place(self, job: Job, attempt: int) -> str | None:
        free = {slot.device for slot in self._slots if slot.task is None}
        return self._placement.choose(job, {device: idle_mb(self._slots, device) for device in free}, attempt > 1)

    def wait(self, timeout: float) -> list[Finished]:
        """The jobs that ended, at the latest after `timeout` seconds; none while nothing has.

        Raises BenchError where no process can be started for a step: once what has ended was returned.
        """
        busy = [(slot, slot.task) for slot in self._slots if slot.task is not None]
        if not busy:
            return []
        left = min([timeout, *(task.deadline - time.monotonic() for _, task in busy)])
        signs = [sign for _, task in busy for sign in (task.worker.pipe, task.worker.line)]
        connection.wait(signs, max(0.0, left))
        return self._trouble.ended(partial(self._ended, *one) for one in busy)

    def _ended(self, slot: _Slot, task: _Task) -> Finished | None:
        outcome = self._look(slot, task)
        return None if outcome is None else self._settle(slot, task, outcome)

    def close(self) -> None:
        """Abandon what is running and free everything. Safe to call twice."""
        for slot in self._slots:
            if slot.task is not None:
                _end_own(slot.task)
                slot.task = None
        self._stop_all(self._slots)
        self.zygote.close()

    def _begin(self, slot: _Slot, task: _Task) -> None:
        """Find or start the process of a task's next step."""
        job = task.job
        task.side = side_of_step(job, task.step)
        task.own = has_own_process(job, task.step)
        task.nonce = secrets.token_hex(16)
        slot.busy, idle = None, None if task.own else slot.take(task.side)
        held = slot.held[task.side] if idle else 0.0
        make_room(self._slots, slot.device, lambda idle_mb: self._placement.is_short(job, slot.device, idle_mb, held))
        task.worker = idle or self._start(task.side, slot, job if task.own else None, task.step)
        if not task.own:
            slot.put(task.side, task.worker, max(held, self._placement.holds(job, slot.device)))
        task.warm &= idle is not None
        task.began, task.waiting = time.monotonic(), idle is None
        task.deadline = task.began + START_SECONDS
        if idle is not None:
            self._hand_over(slot, task)

    def _hand_over(self, slot: _Slot, task: _Task) -> None:
        """Give a process that is ready its step, with a connection to the suspect's process where there is one."""
        if has_foreign_suspect(task.job, task.step):
            task.suspect = self._start("suspect", slot, task.job, task.step)
        task.began, task.waiting = time.monotonic(), False
        task.deadline = task.began + task.left
        with suppress(ConnectionError):  # it died just now: the next look finds it dead
            task.worker.pipe.send((task.job, task.step, task.made, task.nonce, task.suspect is not None))
            if task.suspect is not None:
                send_handle(task.worker.pipe, task.suspect.pipe.fileno(), None)
                task.suspect.pipe.close()

    def _look(self, slot: _Slot, task: _Task) -> dict[str, Any] | None:
        """The outcome of a task's step, or None while it goes on. One that arrived counts, however late."""
        worker = task.worker
        dead = worker.ended()  # asked before reading, so that nothing it sent is missed
        try:
            line = worker.read()
            if line is not None and task.waiting and json.loads(line) == {"ready": True}:
                self._hand_over(slot, task)
                return None
            if line is not None:
                return read_outcome(line, task.job, task.nonce)
        except EOFError:
            connection.wait([worker.line], 1.0)  # for how it ended
            worker.ended()
            dead = True
        except (ValueError, OverflowError):
            return _mishap(task, "killed", "The worker process sent something that is no outcome of this job.")
        if dead:
            return _mishap(task, *death(worker.exitcode, self._memory_kills.happened()))
        if time.monotonic() < task.deadline:
            return None
        if task.waiting:
            return _mishap(task, "killed", f"The worker process did not start within {START_SECONDS:g} s.")
        return _mishap(task, "timeout", f"It was stopped after its time limit of {task.job.timeout:g} s.")

    def _settle(self, slot: _Slot, task: _Task, outcome: dict[str, Any]) -> Finished | None:
        """Take the outcome of a task's step: begin the next one, or return how the job ended."""
        status, step, log = outcome["status"], task.step, task.worker.log.name
        _end_own(task)
        # What failed may leave the process unfit, as a failed CUDA kernel does: start afresh.
        if not task.own and status not in ("ok", "not-applicable", "damaged"):
            slot.end(task.side)
        outcome["run"] = {**outcome["run"], "log": log}
        finished = task.settle(outcome, time.monotonic() - task.began)
        if finished is None:
            self._begin(slot, task)
            return None
        slot.task = slot.busy = None
        self._placement.ended(task.job, slot.device, status, task.made, task.run, task.warm)
        if status != "ok" or step == task.job.steps[-1]:
            shutil.rmtree(self._work(task.job), ignore_errors=True)
        return finished

    def _stop_all(self, slots: list[_Slot]) -> None:
        for slot in slots:
            for side in list(slot.workers):
                slot.end(side)

    def _work(self, job: Job) -> Path:
        """Where a job's party leaves what the court takes."""
        return self._root / "work" / job.id

    def _start(self, side: Side, slot: _Slot, job: Job | None, step: JobStep) -> Lease:
        """A process for `side` on the slot's device: for this step of this job alone, or for many."""
        log = self._root / "logs" / f"{side}-{slot.number}.log"
        machine = {**self._machine, "device": slot.device}
        call, arguments = "worker:serve", {"entry": self._entry, "machine": machine, "lasting": job is None}
        if side == "suspect":
            call, arguments = "suspect_process:serve_suspect", {"device": slot.device}
        try:
            for name, mode in FOLDERS.items():
                (self._root / name).mkdir(mode, parents=True, exist_ok=True)
            if job is not None:
                self._work(job).mkdir(exist_ok=True)
                for name in ("artefacts", "keys"):  # where what it makes will lie
                    (self._root / name / job.id[:2]).mkdir(FOLDERS[name], exist_ok=True)
            if compiled := cache_folder(self._root, side, job):
                compiled.mkdir(0o700, exist_ok=True)
                machine["compiled"] = str(compiled.resolve())
            around = walls(side, self._root, self._data, job, step, self._hidden)
            return self.zygote.fork(f"benchmark.execution.{call}", arguments, log, around, self._memory_mb)
        except OSError as error:
            hint = ": raise the limit (ulimit -n) or use fewer --workers" if error.errno == errno.EMFILE else ""
            where = f" ({error.filename})" if error.filename else ""
            raise BenchError(f"A worker process can't be started: {error.strerror}{where}{hint}.") from error


def _end_own(task: _Task) -> None:
    """End what serves a task's step and nothing else."""
    for one in (task.suspect, task.worker if task.own else None):
        if one is not None:
            one.end()
    task.suspect = None


def _mishap(task: _Task, status: str, reason: str) -> dict[str, Any]:
    seconds = {"seconds": time.monotonic() - task.began}
    return {"status": status, "reason": reason, "result": {}, "run": seconds, "damaged": None}
