"""Jobs in which nobody trains, and whose steps say how long models answered and what their process has computed.

The worker's entry of `cell_cost.py`, in place of `benchmark.execution.job_runner:execute`. What it replaces it replaces
when it is imported: a process compares the functions that it begins with.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import nn

from benchmark.execution.job_runner import execute as execute_untimed
from benchmark.planning.job import Job
from benchmark.protocol.objects import Running
from benchmark.protocol.parties import Party
from benchmark.vocabulary import JobStep

_ask = Running.ask
_asked = {"clock": 0.0, "processor": 0.0}  # seconds of the step that is being computed


def _timed_ask(self: Running, x: torch.Tensor, *access: Any) -> torch.Tensor:
    began, used = _now(x), time.process_time()
    answer = _ask(self, x, *access)
    _asked["clock"] += _now(x) - began
    _asked["processor"] += time.process_time() - used
    return answer


def _now(x: torch.Tensor) -> float:
    """The time, once the device has done what it was given."""
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return time.perf_counter()


def _not_trained(self: Party, model: nn.Module, *_: Any, **__: Any) -> nn.Module:
    return model.eval()


Running.ask = _timed_ask  # type: ignore[method-assign,assignment]
Party.fit = _not_trained  # type: ignore[method-assign,assignment]


def execute(
    job: Job, step: JobStep, made: Mapping[str, Any], machine: Mapping[str, Any], suspects: Connection | None
) -> dict[str, Any]:
    """See `benchmark.execution.job_runner.execute`; `run` says as `timed <step>` what this file is for."""
    _asked.update(clock=0.0, processor=0.0)
    outcome = execute_untimed(job, step, made, machine, suspects)
    outcome["run"][f"timed {step}"] = {"asked": {**_asked}, "process": os.getpid(), "computed": time.process_time()}
    return outcome
