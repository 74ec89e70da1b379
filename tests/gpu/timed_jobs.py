"""Jobs whose steps say how long they asked a model, and how much their process has computed by then.

A worker's entry in place of `benchmark.execution.job_runner:execute`, for `cell_cost.py`. It replaces `Running.ask` when
it is imported, before any process looks at the functions it begins with.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmark.execution.job_runner import execute as execute_untimed
from benchmark.planning.job import Job
from benchmark.protocol.objects import Running
from benchmark.vocabulary import JobStep

_ask = Running.ask
_asked = {"seconds": 0.0, "cpu_seconds": 0.0}


def _timed_ask(self: Running, x: torch.Tensor, *access: Any) -> torch.Tensor:
    began, used = _now(x), time.process_time()
    answer = _ask(self, x, *access)
    _asked["seconds"] += _now(x) - began
    _asked["cpu_seconds"] += time.process_time() - used
    return answer


def _now(x: torch.Tensor) -> float:
    """The time when the device has done what it was given."""
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return time.perf_counter()


Running.ask = _timed_ask  # type: ignore[method-assign]


def execute(
    job: Job, step: JobStep, made: Mapping[str, Any], machine: Mapping[str, Any], suspects: Connection | None
) -> dict[str, Any]:
    """See `benchmark.execution.job_runner.execute`; its `run` holds by step what was asked and what was computed."""
    _asked.update(seconds=0.0, cpu_seconds=0.0)
    outcome = execute_untimed(job, step, made, machine, suspects)
    if "run" in outcome:
        outcome["run"][f"timed {step}"] = {
            "asked": dict(_asked),
            "process": os.getpid(),
            "computed": time.process_time(),
        }
    return outcome
