"""The probe: how fast this device trains a net, by the engine itself. Run in a process of its own, which ends with it.

So the driver never loads torch nor opens a GPU, and the settings of torch that a probe makes end with it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from benchmark.architectures.net import build
from benchmark.data.tasks import Task, find_task
from benchmark.protocol.parties import TaskContext
from benchmark.training.device import device_of
from benchmark.training.flops import counted
from benchmark.training.loop import BatchSource, Meter, Recipe, fit

SECONDS = 0.2  # of measured training, at least one step; the fastest of `TIMES` counts, since others use the machine
TIMES = 4
_WARM_UP = 2  # steps


def probe(world: Mapping[str, Any], wanted: str) -> dict[str, float]:
    """Train the net of a job's `world` on one batch of noise, `TIMES` times for about `SECONDS`.

    operations: multiply-adds for one trained image. images_per_second: trained images in a second, of processor time
    on a CPU, whose other cores and programs don't count, and of the clock on a GPU.
    """
    device = device_of(wanted)
    task, recipe = find_task(world["task"]), Recipe(**world["training"])
    context = TaskContext(task, world["architecture"], recipe, device, world["precision"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(context.spec()).to(device)
        source = _noise(task, recipe.batch, device)

    def train(steps: int, meter: Meter | None = None) -> float:
        began = _now(device)
        fit(
            model, [source], replace(recipe, epochs=steps, lr=1e-6), torch.Generator().manual_seed(0),
            precision=context.precision, meter=meter,
        )  # fmt: skip
        return _now(device) - began

    meter = Meter()
    with counted(meter):
        train(1, meter)
    step = train(_WARM_UP) / _WARM_UP
    steps = max(1, round(SECONDS / max(step, 1e-6)))
    took = min(train(steps) for _ in range(TIMES if step < SECONDS else 1))
    return {"operations": meter.operations / meter.samples, "images_per_second": steps * recipe.batch / took}


def _noise(task: Task, batch: int, device: torch.device) -> BatchSource:
    x = torch.randint(0, 256, (batch, *task.shape), dtype=torch.uint8)
    targets = torch.randint(0, task.classes, (batch,)) if task.kind == "classification" else x
    return BatchSource(x.to(device), targets.to(device), batch)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def main() -> None:
    """Read worlds and a device as JSON from the standard input, and write what was found for each."""
    asked = json.load(sys.stdin)
    json.dump([probe(world, asked["device"]) for world in asked["worlds"]], sys.stdout)
