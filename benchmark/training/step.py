"""One step of training: loss, gradients, clipping, and the optimiser's update."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.training.batches import Batch, Step
from benchmark.training.recipe import Recipe


def usual_loss(model: nn.Module, smoothing: float, batches: Sequence[Batch]) -> Tensor:
    """One forward pass over all sources together: mean cross-entropy (hard or soft labels), squared error of images."""
    x, targets = batches[0] if len(batches) == 1 else (torch.cat(part) for part in zip(*batches, strict=True))
    if targets.dim() == 4:
        return F.mse_loss(model(x), targets)
    return F.cross_entropy(model(x), targets, label_smoothing=smoothing)


def autocast(device: torch.device, precision: str, *, captured: bool = False) -> AbstractContextManager[object]:
    """bf16 on a GPU unless the profile asks for float32; float32 on the CPU.

    A step that will be captured casts its weights each time: a cast that was kept from before would not be repeated.
    """
    if device.type == "cuda" and precision == "auto":
        return torch.autocast("cuda", torch.bfloat16, cache_enabled=not captured)
    return nullcontext()


class OptimiserStep:
    """A step of `recipe` on `trained`, at `rate`: a number, or where it will be captured a tensor on the device."""

    def __init__(
        self, loss: Step, trained: Sequence[nn.Parameter], recipe: Recipe, device: torch.device, precision: str,
        rate: float | Tensor,
    ) -> None:  # fmt: skip
        self.loss, self.trained, self.recipe, self.device, self.precision = loss, trained, recipe, device, precision
        self.optimiser = recipe.optimise(trained, rate)
        self.captured = isinstance(rate, Tensor)

    def __call__(self, batches: Sequence[Batch]) -> Tensor:
        """Carry it out on a batch of each source; the loss, detached."""
        with autocast(self.device, self.precision, captured=self.captured):
            loss = self.loss(batches)
        self.optimiser.zero_grad(set_to_none=not self.captured)  # captured gradients keep their addresses
        loss.backward()
        if math.isfinite(self.recipe.clip):
            nn.utils.clip_grad_norm_(self.trained, self.recipe.clip)
        self.optimiser.step()
        return loss.detach()

    def at(self, rate: float) -> OptimiserStep:
        """This step, from now on at another rate; not where the rate is a tensor, which is filled instead."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return self
