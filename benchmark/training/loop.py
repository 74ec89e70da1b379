"""One training engine for owner, thief and nulls: data on the device, batches by index, no DataLoader."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.data.splits import Data, as_float
from benchmark.training.device import answered_at_once

ANSWERED = 512  # images that a net answers at once on a CPU
Batch = tuple[Tensor, Tensor]  # images float (n, C, H, W) in [0, 1]; labels, soft targets or clean images
Step = Callable[[Sequence[Batch]], Tensor]


@dataclass(frozen=True)
class Recipe:
    """How `fit` trains: gradient descent with Nesterov momentum, or Adam. The schedule starts anew with every call."""

    epochs: int = 10
    lr: float = 0.05
    batch: int = 64
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.9  # sgd's; Adam keeps its usual (0.9, 0.999)
    weight_decay: float = 5e-4
    schedule: Literal["cosine", "constant", "steps"] = "cosine"
    drops: Sequence[float] = ()  # shares of the steps after which the rate falls to a tenth; steps only
    warmup: float = 0.1  # share of the steps in which the rate rises to `lr`; cosine only
    clip: float = math.inf  # largest gradient norm
    shift: int = 0  # augmentation: random shift by at most this many pixels
    flip: bool = False  # augmentation: random horizontal flip

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of `step` of `steps`."""
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "steps":
            return float(self.lr * 0.1 ** sum(step >= drop * steps for drop in self.drops))
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return self.lr * (step + 1) / rising
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))

    def optimise(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser that moves `parameters`."""
        if self.optimiser == "adam":
            return torch.optim.Adam(parameters, self.lr, weight_decay=self.weight_decay, fused=True)
        return torch.optim.SGD(
            parameters, self.lr, self.momentum, weight_decay=self.weight_decay, nesterov=self.momentum > 0, fused=True
        )


@dataclass(frozen=True)
class BatchSource:
    """Images with targets, of which every step takes `batch`.

    Targets: class numbers (N,), soft labels (N, classes), or images (N, C, H, W), uint8 or float in [0, 1].
    """

    x: Tensor  # uint8 (N, C, H, W)
    targets: Tensor
    batch: int

    @classmethod
    def of(cls, data: Data, batch: int) -> BatchSource:
        return cls(data.x, data.y, batch)


@dataclass
class Meter:
    """What work cost: optimiser steps, images pushed forward and back, multiply-adds (`benchmark.training.flops`)."""

    steps: int = 0
    samples: int = 0
    operations: int = 0

    def record(self) -> dict[str, int]:
        return asdict(self)


def random_shift(x: Tensor, pixels: int, rng: torch.Generator) -> Tensor:
    """Each image of (n, C, H, W) moved by its own -pixels..pixels in both directions, zeros coming in."""
    n, _, height, width = x.shape
    padded = F.pad(x, (pixels,) * 4)
    dy, dx = torch.randint(0, 2 * pixels + 1, (2, n, 1), generator=rng, device=rng.device).to(x.device)
    rows = (torch.arange(height, device=x.device) + dy)[:, None, :, None]
    columns = (torch.arange(width, device=x.device) + dx)[:, None, None, :]
    image = torch.arange(n, device=x.device)[:, None, None, None]
    channel = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
    return padded[image, channel, rows, columns]


def random_flip(x: Tensor, rng: torch.Generator) -> Tensor:
    """Each image of (n, C, H, W) mirrored left to right with probability 1/2."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=rng, device=rng.device).to(x.device) < 0.5
    return torch.where(mirrored, x.flip(3), x)


def cycle(source: BatchSource, rng: torch.Generator) -> Iterator[Batch]:
    """Batches without end: a fresh permutation each time the images are used up, no short batch."""
    batch = min(source.batch, len(source.x))
    while True:
        order = torch.randperm(len(source.x), generator=rng, device=rng.device).to(source.x.device)
        for start in range(0, len(order) - batch + 1, batch):
            index = order[start : start + batch]
            targets = source.targets[index]
            yield as_float(source.x[index]), as_float(targets) if targets.dtype == torch.uint8 else targets


def usual_loss(model: nn.Module, batches: Sequence[Batch]) -> Tensor:
    """One forward pass over all sources together: mean cross-entropy (hard or soft labels), squared error of images."""
    x, targets = batches[0] if len(batches) == 1 else (torch.cat(part) for part in zip(*batches, strict=True))
    return F.mse_loss(model(x), targets) if targets.dim() == 4 else F.cross_entropy(model(x), targets)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """bf16 on a GPU unless the profile asks for float32; float32 on the CPU."""
    if device.type == "cuda" and precision == "auto":
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


def fit(
    model: nn.Module, sources: Sequence[BatchSource], recipe: Recipe, rng: torch.Generator, *,
    step: Step | None = None, parameters: Sequence[nn.Parameter] | None = None, only: nn.Module | None = None,
    precision: str = "auto", meter: Meter | None = None,
) -> None:  # fmt: skip
    """Train `model` in place.

    The first source sets the length of an epoch; every step gets one batch of each source, which covers joint
    losses and trigger batches. `step(batches)` gives the loss (default: `usual_loss`). `only` trains one submodule and
    keeps the rest in eval mode, so frozen normalisation statistics don't drift; `parameters` names what the optimiser
    moves (default: all of `only` or `model`). Raises FloatingPointError when the loss ends up not finite.
    """
    device = next(model.parameters()).device
    step = step or partial(usual_loss, model)
    model.eval() if only else model.train()
    (only or model).train()
    trained = list((only or model).parameters() if parameters is None else parameters)
    model.to(memory_format=torch.channels_last)
    optimiser = recipe.optimise(trained)
    steps = recipe.epochs * max(1, len(sources[0].x) // sources[0].batch)
    streams = [cycle(source, rng) for source in sources]
    loss = torch.zeros(())
    for index in range(steps):
        batches = [next(stream) for stream in streams]
        if recipe.shift or recipe.flip:
            batches[0] = _augment(batches[0], recipe, rng)
        batches = [(x.contiguous(memory_format=torch.channels_last), targets) for x, targets in batches]
        optimiser.param_groups[0]["lr"] = recipe.rate(index, steps)
        with autocast(device, precision):
            loss = step(batches)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if math.isfinite(recipe.clip):
            nn.utils.clip_grad_norm_(trained, recipe.clip)
        optimiser.step()
        if meter is not None:
            meter.steps += 1
            meter.samples += sum(len(x) for x, _ in batches)
    if not math.isfinite(loss.item()):
        raise FloatingPointError(f"training diverged: the loss is {loss.item()} after {steps} steps, lower lr")
    model.to(memory_format=torch.contiguous_format)
    model.eval()


def _augment(batch: Batch, recipe: Recipe, rng: torch.Generator) -> Batch:
    """Shift and mirror the images; targets that are images move along."""
    x, targets = batch
    if targets.dim() == 4:
        both, _ = _augment((torch.cat([x, targets], 1), targets.new_empty(0)), recipe, rng)
        return both[:, : x.shape[1]], both[:, x.shape[1] :]
    x = random_shift(x, recipe.shift, rng) if recipe.shift else x
    return (random_flip(x, rng) if recipe.flip else x), targets


@torch.no_grad()
def logits(model: nn.Module, x: Tensor) -> Tensor:
    """What `model`, in eval mode, answers to images (N, C, H, W) in [0, 1], float32.

    Logits (N, classes), or images (N, C, H, W) of an image-to-image net.
    """
    model.eval()
    if x.is_cuda:
        x = x.contiguous(memory_format=torch.channels_last)
    return torch.cat([model(part).float() for part in x.split(answered_at_once(x, ANSWERED))])
