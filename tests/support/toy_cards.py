"""Jobs that say which device they were given, and what they took of it as if it were a GPU."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.planning.job import Job


def execute(
    job: Job, step: str, made: dict[str, Any], context: dict[str, Any], suspects: Connection | None
) -> dict[str, Any]:
    """A job with a `gate` in its payload ends when this file is in the store's work folder."""
    gate = Path(context["root"], "work", job.payload.get("gate", ""))
    while not gate.exists():
        time.sleep(0.01)
    told = [*made.get("told", []), {"step": step, "device": context["device"], "pid": os.getpid()}]
    result = {"utility": {"correct": "1"}, "cost": {}, "artefacts": {}, "told": told}
    run = {"peak_memory_mb": job.payload.get("mb", 100.0), "device": "cuda", "hardware": "toy", "versions": {}}
    return {"status": "ok", "result": result, "run": run}
