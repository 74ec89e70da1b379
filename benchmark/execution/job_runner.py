"""One step of a job in a worker process: its body, the circumstances it ran under, and mishaps as a status and a
sentence."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # the first step of an optimiser imports it, for seconds: here it is once for all forks

from benchmark.digest.code_digest import engine_hash
from benchmark.errors import NotApplicable
from benchmark.execution.doctor import versions
from benchmark.execution.job_bodies import compute
from benchmark.execution.job_context import Changed, JobContext
from benchmark.execution.mishaps import mishap
from benchmark.execution.suspect_process import RemoteService
from benchmark.planning.clocks.rates import processor
from benchmark.planning.job import Job
from benchmark.store.artefacts import DamagedArtefact
from benchmark.store.records import RecordStore
from benchmark.training.device import device_of
from benchmark.vocabulary import JobStep

_ENGINE = engine_hash()  # of the code that was just imported, reckoned once for all forks

# what narrows the instructions that a library chooses, which decides the last bits of a sum
_INSTRUCTION_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")


def execute(
    job: Job, step: JobStep, made: Mapping[str, Any], machine: Mapping[str, Any], suspects: Connection | None
) -> dict[str, Any]:
    """Carry out a step of `job`, after one that found `made`; machine: root (the store), device. Returns the outcome.

    suspects: a process beside this one that serves suspects with somebody else's code. A killed job is tried again by
    the next run: a full disk and a file that changed are not the plug-in's fault.
    """
    device = device_of(machine["device"])
    started, used = time.perf_counter(), time.process_time()
    outcome: dict[str, Any] = {"status": "ok", "reason": None, "result": {}}
    try:
        if job.payload["engine"] != _ENGINE:
            raise Changed("the benchmark's own code changed after the plan was made: run the same command again")
        remote = RemoteService(suspects) if suspects else None
        context = JobContext(job, RecordStore(Path(machine["root"])), device, remote)
        outcome["result"] = compute(context, step, made)
    except NotApplicable as reason:
        outcome |= {"status": "not-applicable", "reason": str(reason)}
    except DamagedArtefact as damaged:
        return {"status": "damaged", "damaged": damaged.job, "reason": str(damaged)}
    except Changed as changed:
        outcome |= {"status": "killed", "reason": str(changed)}
    except Exception as error:
        if (found := mishap(error)) is None:
            raise
        outcome |= dict(zip(("status", "reason"), found, strict=True))
    outcome["run"] = {
        "seconds": round(time.perf_counter() - started, 4),
        "cpu_seconds": round(time.process_time() - used, 4),
        **_circumstances(device),
    }
    return outcome


def _circumstances(device: torch.device) -> dict[str, Any]:
    """Peak memory in MB (of the device, or of this process), device, hardware and versions; they decide no result."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_reserved(device) / 2**20
        torch.cuda.reset_peak_memory_stats(device)
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "peak_memory_mb": round(peak, 1),
        "device": device.type,
        "hardware": hardware(device),
        "cpu": _instructions(),
        "versions": versions(),
    }


def hardware(device: torch.device) -> str:
    """The name of the GPU, or of the processor, as records give it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor()


@cache
def _instructions() -> str:
    """The instruction set that torch chose for this CPU, and what of the environment narrows the libraries' choice."""
    limits = (f"{name}={os.environ[name]}" for name in _INSTRUCTION_LIMITS if name in os.environ)
    return ", ".join((torch.backends.cpu.get_cpu_capability(), *limits))
