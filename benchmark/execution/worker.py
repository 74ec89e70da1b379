"""A worker process's whole life: steps of jobs in, outcomes out, until the driver hangs up or ends it."""

from __future__ import annotations

import importlib
import json
import os
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any

from benchmark.errors import message_of
from benchmark.execution.mishaps import mishap
from benchmark.execution.processes.compiler_cache import share_compiled
from benchmark.execution.processes.process_state import ProcessState
from benchmark.files import json_value
from benchmark.planning.job import Job
from benchmark.store.records import STATUSES

_LONGEST = 100_000  # letters of a traceback, its last ones

Entry = Callable[[Job, str, dict[str, Any], dict[str, Any], Connection | None], dict[str, Any]]


def serve(pipe: Connection, entry: str, machine: dict[str, Any], lasting: bool) -> None:
    """Answer the driver's steps: many where this process is `lasting`, else one. `entry` is `module:function`."""
    module, _, name = entry.partition(":")
    execute: Entry = getattr(importlib.import_module(module), name)
    out, own = os.fdopen(os.dup(pipe.fileno()), "wb"), os.getpid()

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message, allow_nan=False).encode() + b"\n")
        out.flush()

    if "compiled" in machine:
        share_compiled(machine["compiled"])
    before = ProcessState()
    say({"ready": True})
    with suppress(EOFError):
        while True:
            job, step, made, nonce, suspect = pipe.recv()
            suspects = Connection(recv_handle(pipe)) if suspect else None
            print(f"--- {job.label!a}: {step}", flush=True)
            outcome = _outcome(execute, job, step, made, dict(machine), suspects)
            if os.getpid() != own:  # a copy that the job made of this process
                os._exit(1)
            if changed := before.changed():
                _note(outcome, changed, lasting)
            if before.outdated():
                before = ProcessState()
            say({"job": job.id, "nonce": nonce, "outcome": outcome})
            if suspects is not None:
                suspects.close()


def _outcome(
    execute: Entry, job: Job, step: str, made: dict[str, Any], machine: dict[str, Any], suspects: Connection | None
) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        outcome = {"reason": None, "result": {}, "run": {}, **execute(job, step, made, machine, suspects)}
        if outcome.get("status") not in STATUSES | {"damaged"}:
            raise ValueError(f"the job ended with the unknown status {outcome.get('status')!r}")
        json_value(json.dumps(outcome, allow_nan=False).encode())  # as whoever opens the record will read it
    except BaseException as error:  # sys.exit() in a plug-in is a crash too
        traceback.print_exc()
        status, reason = mishap(error) or ("crashed", _reason(error, job))
        trace = _whole(traceback.format_exc()[-_LONGEST:])
        outcome = {"status": status, "reason": _whole(reason), "result": {}, "run": {"traceback": trace}}
    outcome["run"] = {"seconds": time.perf_counter() - began, **outcome["run"]}
    return outcome


def _note(outcome: dict[str, Any], changed: list[str], lasting: bool) -> None:
    """Say what a step changed in its process; a crash where other jobs come after it there."""
    outcome["run"]["changed"] = changed
    if lasting:
        reason = f"it changed {', '.join(changed[:5])} for the jobs after it"
        outcome |= {"status": "crashed", "reason": reason, "result": {}}


def _whole(text: str) -> str:
    """The text without half characters, which no UTF-8 can hold."""
    return text.encode(errors="backslashreplace").decode()


def _reason(error: BaseException, job: Job) -> str:
    """`Type: message (file:line)`, the line being the plug-in's own where it is on the stack."""
    frames = traceback.extract_tb(error.__traceback__)
    files = {source.path for source in job.sources.values()}
    own = [frame for frame in frames if frame.filename in files]
    place = (own or frames)[-1]
    message = message_of(error, 500)
    return f"{type(error).__name__}: {message} ({Path(place.filename).name}:{place.lineno})"
