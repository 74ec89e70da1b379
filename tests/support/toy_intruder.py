"""Jobs that do to the benchmark what they should not, each in its first step, run by real worker processes."""

from __future__ import annotations

import ctypes
import errno
import math
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.planning.job import Job, PluginSource

MINUTES = 600.0


def foreign(job: Job, role: str = "stage0") -> Job:
    """The same job, with code that is not the benchmark's own: a "scheme" or a stage of an attack."""
    return replace(job, sources={role: PluginSource(__file__, "Toy", "", trusted=False)})


def execute(
    job: Job, step: str, made: dict[str, Any], context: dict[str, Any], suspects: Connection | None
) -> dict[str, Any]:
    if job.payload["do"] == "take time":
        time.sleep(job.payload["pause"])
    if step == "answer":
        return {"status": "ok", "result": {"answered by": os.getpid(), "made": made}}
    work = Path(context["root"]) / "work" / job.id  # where its process may write
    work.mkdir(exist_ok=True)
    result = _act(job, work)
    return {"status": "ok", "result": {"label": job.label, "pid": os.getpid(), **result}}


def _act(job: Job, work: Path) -> dict[str, Any]:
    payload = job.payload
    match payload["do"]:
        case "fork and return twice":
            os.fork()
        case "leave a process":
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    (work / "left.pid").write_text(str(os.getpid()))
                    time.sleep(MINUTES)
                os._exit(0)
            while not (work / "left.pid").exists() or not (work / "left.pid").read_text():
                time.sleep(0.01)
            time.sleep(payload.get("stay", 0.0))
            return {"left": int((work / "left.pid").read_text())}
        case "write everywhere":
            for descriptor in range(3, 64):
                with suppress(OSError):
                    os.write(descriptor, payload["text"].encode() + b"\n")
            time.sleep(payload.get("stay", 0.0))
        case "flood":
            for descriptor in range(3, 64):
                with suppress(OSError):
                    while True:
                        os.write(descriptor, b"x" * 2**20)
        case "read":
            return {"read": {path: _said(Path(path).read_bytes) for path in payload["paths"]}}
        case "note":
            return {"noted": {path: _said(partial(os.utime, path)) for path in payload["paths"]}}
        case "write":
            return {"wrote": {path: _said(partial(Path(work, path).write_text, "x")) for path in payload["paths"]}}
        case "share":
            before = sorted(os.listdir("/dev/shm"))
            Path("/dev/shm/left").write_text("x")
            mode, create, exclusive = 0o600, 0o1000, 0o2000
            segment = ctypes.CDLL(None).shmget(payload["segment"], 4096, mode | create | exclusive)
            return {"before": before, "segment is new": segment >= 0}
        case "temporary":
            with tempfile.NamedTemporaryFile(delete=False) as file:
                return {"temporary": file.name}
        case "attack the driver":
            return {
                "signal": _said(lambda: os.kill(os.getppid(), signal.SIGUSR1)),
                "memory": _said(lambda: Path(f"/proc/{os.getppid()}/mem").read_bytes()),
                "driver's": _said(lambda: Path(f"/proc/{payload['driver']}/mem").read_bytes()),
            }
        case "signal 40":
            os.kill(os.getpid(), 40)
        case "print much":
            print("the first words")
            for _ in range(payload["megabytes"]):
                os.write(1, b"x" * 2**20)
            time.sleep(payload.get("stay", 0.0))
            print("the last words")
        case "change Python":
            math.sqrt = abs
            sys.setrecursionlimit(5000)
            os.environ["PATH"] = ""
        case "open too many":
            raise OSError(24, "Too many open files")
    return {}


def _said(act: Any) -> str:
    try:
        act()
    except OSError as error:
        return PermissionError.__name__ if error.errno == errno.EROFS else type(error).__name__
    return "done"
