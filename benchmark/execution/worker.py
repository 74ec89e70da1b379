"""A worker process's whole life: jobs in, outcomes out, until the driver hangs up or dies."""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import io
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.planning.job import Job
from benchmark.store.records import STATUSES

Entry = Callable[[Job, dict[str, Any]], dict[str, Any]]


def serve(pipe: Connection, entry: str, context: dict[str, Any], log: Path, driver: int) -> None:
    """Answer the driver's jobs. `entry` is `module:function`; output goes to `log`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to answer
    os.setsid()
    _die_with(driver)
    _redirect(log)
    faulthandler.enable()
    module, _, name = entry.partition(":")
    execute: Entry = getattr(importlib.import_module(module), name)
    pipe.send_bytes(b'{"ready": true}')
    with suppress(EOFError):
        while True:
            job: Job = pipe.recv()
            print(f"--- {job.label!a}", flush=True)
            pipe.send_bytes(_outcome(execute, job, dict(context)))


def _die_with(driver: int) -> None:
    """End this process when the driver ends, by whatever means, even in the middle of a job."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if sys.platform == "linux":  # also while native code holds the interpreter and no thread can run
        set_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != driver:  # it ended before the call
            os._exit(1)


def _redirect(log: Path) -> None:
    """Send what the job prints, native code included, to the log and away from the driver's display."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a killed process flushes nothing


def _outcome(execute: Entry, job: Job, context: dict[str, Any]) -> bytes:
    began = time.perf_counter()
    try:
        outcome = dict(execute(job, context))
        if outcome.get("status") not in STATUSES | {"damaged"}:
            raise ValueError(f"the job ended with the unknown status {outcome.get('status')!r}")
        run = {"seconds": time.perf_counter() - began, **(outcome.get("run") or {})}
        return json.dumps({"outcome": {**outcome, "run": run}}, allow_nan=False).encode()
    except BaseException as error:  # sys.exit() in a plug-in is a crash too
        traceback.print_exc()
        run = {"seconds": time.perf_counter() - began, "traceback": traceback.format_exc()}
        status = "oom" if isinstance(error, MemoryError) else "crashed"
        outcome = {"status": status, "reason": _reason(error, job), "run": run}
        return json.dumps({"outcome": outcome}).encode()


def _reason(error: BaseException, job: Job) -> str:
    """`Type: message (file:line)`, the line being the plug-in's own where it is on the stack."""
    frames = traceback.extract_tb(error.__traceback__)
    files = {source.path for source in job.sources.values()}
    own = [frame for frame in frames if frame.filename in files]
    place = (own or frames)[-1]
    message = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {message} ({Path(place.filename).name}:{place.lineno})"
