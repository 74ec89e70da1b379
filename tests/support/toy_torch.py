"""Jobs that do with torch what plug-ins do, and a court that asks a suspect in a process beside it."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmark.execution.mishaps import mishap
from benchmark.execution.suspect_process import RemoteService
from benchmark.planning.job import Job
from benchmark.store import artefacts


def execute(
    job: Job, step: str, made: dict[str, Any], context: dict[str, Any], suspects: Connection | None
) -> dict[str, Any]:
    if step == "answer":
        return {"status": "ok"}
    try:
        return {"status": "ok", "result": _act(job, suspects)}
    except Exception as error:
        if (found := mishap(error)) is None:
            raise
        return {"status": found[0], "reason": found[1]}


def _act(job: Job, suspects: Connection | None) -> dict[str, Any]:
    payload = job.payload
    match payload["do"]:
        case "load with two workers":
            data = TensorDataset(torch.arange(100.0))
            return {"sum": sum(float(batch.sum()) for (batch,) in DataLoader(data, batch_size=7, num_workers=2))}
        case "no gradients":
            torch.set_grad_enabled(False)
        case "double numbers":
            torch.set_default_dtype(torch.float64)
        case "patched loss":
            torch.nn.functional.cross_entropy = lambda *_, **__: torch.zeros(())
        case "patched method":
            torch.nn.Linear.forward = lambda self, x: x  # type: ignore[method-assign]
        case "deaf numpy":
            np.seterr(all="ignore")
        case "a hook on every module":
            torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
        case "take memory":
            return {"bytes": torch.zeros(payload["megabytes"] * 2**20, dtype=torch.uint8).nbytes}
        case "judge":
            assert suspects is not None
            remote = RemoteService(suspects)
            service = artefacts.read_service(Path(payload["path"]), payload["job"], payload["sha256"])
            remote.load(service, list(job.sources.values()))
            return {"labels": remote.ask(torch.full((3, 1, 8, 8), 0.5), "labels").tolist()}
    return {}
