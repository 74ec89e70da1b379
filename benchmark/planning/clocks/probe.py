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
from benchmark.training.batches import BatchSource
from benchmark.training.device import device_of
from benchmark.training.engine import engine_for
from benchmark.training.flops import Meter, counted
from benchmark.training.loop import fit
from benchmark.training.recipe import Recipe

SECONDS = 0.2  # of measured training, at least one step; the fastest of `TIMES` counts, since others use the machine
TIMES = 4
FEW = 8  # images of the steps that warm up and say how large the measured ones may be


def probe(world: Mapping[str, Any], wanted: str) -> dict[str, float]:
    """Train the net of a job's `world` on noise, `TIMES` times for about `SECONDS`.

    In the recipe's batches, but for a net that needs longer than that for one of them: such a net is as fast in smaller
    ones. operations: multiply-adds for one trained image. images_per_second: trained images in a second, of processor
    time on a CPU, whose other cores and programs don't count, and of the clock on a GPU.
    """
    device = device_of(wanted)
    task, recipe = find_task(world["task"]), Recipe(**world["training"])
    context = TaskContext(task, world["architecture"], recipe, device, world["precision"])
    engine = engine_for(device, world.get("engine", "auto"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(context.spec()).to(device)

    def train(batch: int, steps: int, meter: Meter | None = None) -> float:
        source, began = _noise(task, batch, device), _now(device)
        fit(
            model, [source], replace(recipe, epochs=steps, lr=1e-6), torch.Generator().manual_seed(0),
            precision=context.precision, engine=engine, meter=meter,
        )  # fmt: skip
        return _now(device) - began

    def fastest(batch: int, steps: int) -> float:
        return min(train(batch, steps) for _ in range(TIMES))

    meter, few = Meter(), min(FEW, recipe.batch)
    with counted(meter):
        train(few, 1, meter)
    batch = max(few, min(recipe.batch, round(few * SECONDS / train(few, 1))))
    steps = max(1, round(SECONDS / train(batch, 1)))
    took = fastest(batch, steps)
    if engine.captured:  # what a capture costs is paid once in a training, whatever its length
        took = max(0.1 * took, fastest(batch, 2 * steps) - took)
    return {"operations": meter.operations / meter.samples, "images_per_second": steps * batch / took}


def _noise(task: Task, batch: int, device: torch.device) -> BatchSource:
    rng = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (batch, *task.shape), dtype=torch.uint8, generator=rng)
    targets = torch.randint(0, task.classes, (batch,), generator=rng) if task.kind == "classification" else x
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
