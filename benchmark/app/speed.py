"""The engine's images per second against a bare PyTorch loop of the same model, data and arithmetic.

Measured on two cores of an AMD EPYC: 2,483 images/s against 2,511, a time ratio of 1.020 (docs/performance.md, with the
command and the versions).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F

from benchmark.architectures.net import build
from benchmark.data.splits import Data, load
from benchmark.execution.job_context import context_of
from benchmark.planning.profile import load_profile
from benchmark.training.batches import BatchSource
from benchmark.training.device import device_of
from benchmark.training.loop import fit
from benchmark.training.recipe import Recipe
from benchmark.training.step import autocast

EPOCHS = 2


def compare(device_name: str, seconds: float) -> str:
    """Time both in alternation for about `seconds`; the answer is one table with the median ratio."""
    device = device_of(device_name)
    context = context_of(load_profile("quick").world(), device)
    data = load(context.task).owner.to(device)
    recipe = Recipe(epochs=EPOCHS, lr=context.recipe.lr, batch=context.recipe.batch)

    def engine() -> None:
        sources = [BatchSource.of(data, recipe.batch)]
        fit(build(context.spec()).to(device), sources, recipe, torch.Generator().manual_seed(0))

    def bare() -> None:
        _bare_loop(build(context.spec()).to(device), data, recipe)

    for warm_up in (engine, bare):
        warm_up()
    times: dict[str, list[float]] = {"engine": [], "bare": []}
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(times["bare"]) < 3:
        for name, run in (("engine", engine), ("bare", bare)):
            times[name].append(_timed(run, device))
    images = EPOCHS * (len(data) // recipe.batch) * recipe.batch
    ratio = median(e / b for e, b in zip(times["engine"], times["bare"], strict=True))
    rates = {name: images / median(values) for name, values in times.items()}
    return (
        f"engine     {rates['engine']:>9,.0f} images/s\n"
        f"bare loop  {rates['bare']:>9,.0f} images/s\n"
        f"time ratio {ratio:>9.3f} (median of {len(times['bare'])} pairs; 1.05 or less is the aim), {device_name}"
    )


def _timed(run: Callable[[], None], device: torch.device) -> float:
    begin = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def _bare_loop(model: torch.nn.Module, data: Data, recipe: Recipe) -> None:
    """What one would write by hand: index, scale, forward, backward, step."""
    model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(
        model.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True, fused=True
    )
    for _ in range(recipe.epochs):
        order = torch.randperm(len(data), device=data.x.device)
        for start in range(0, len(data) - recipe.batch + 1, recipe.batch):
            index = order[start : start + recipe.batch]
            x = (data.x[index].float() / 255).contiguous(memory_format=torch.channels_last)
            with autocast(data.x.device, "auto"):
                loss = F.cross_entropy(model(x), data.y[index])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
