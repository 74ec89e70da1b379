"""How a net is trained: epochs, learning rate and its schedule, optimiser, augmentation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

RISING = 0.2  # share of the steps in which the rate of a linear schedule rises


@dataclass(frozen=True)
class Recipe:
    """How `fit` trains: gradient descent with Nesterov momentum, or Adam. The schedule starts anew with every call."""

    epochs: int = 10
    lr: float = 0.05
    batch: int = 64
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.9  # sgd's; Adam keeps its usual (0.9, 0.999)
    weight_decay: float = 5e-4
    decay_norms: bool = True  # whether scales and shifts of normalisations, and biases, decay as filters do
    schedule: Literal["cosine", "constant", "steps", "linear"] = "cosine"
    drops: Sequence[float] = ()  # shares of the steps after which the rate falls to a tenth; steps only
    warmup: float = 0.1  # share of the steps in which the rate rises to `lr`; cosine only
    clip: float = math.inf  # largest gradient norm
    smoothing: float = 0.0  # of the labels, in the usual loss
    shift: int = 0  # augmentation: random shift by at most this many pixels
    border: Literal["zeros", "reflect"] = "zeros"  # what a shift brings in: black, or the image mirrored at its edge
    flip: bool = False  # augmentation: random horizontal flip

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of `step` of `steps`."""
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "steps":
            return float(self.lr * 0.1 ** sum(step >= drop * steps for drop in self.drops))
        if self.schedule == "linear":
            share = step / steps
            return self.lr * min(share / RISING, (1 - share) / (1 - RISING))
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return self.lr * (step + 1) / rising
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))

    def optimise(self, parameters: Sequence[nn.Parameter], rate: float | Tensor | None = None) -> torch.optim.Optimizer:
        """The optimiser that moves `parameters`, at `rate` (default: `lr`).

        A rate that is a tensor is read anew in every step, and steps can then be captured in a CUDA graph.
        """
        rate = self.lr if rate is None else rate
        groups = [{"params": list(parameters), "weight_decay": self.weight_decay}]
        if not self.decay_norms:
            kinds = [[one for one in parameters if (one.dim() > 1) is filters] for filters in (True, False)]
            decays = zip(kinds, (self.weight_decay, 0.0), strict=True)
            groups = [{"params": kind, "weight_decay": decay} for kind, decay in decays if kind]
        if self.optimiser == "adam":
            capturable = isinstance(rate, Tensor) and rate.is_cuda
            return torch.optim.Adam(groups, rate, fused=True, capturable=capturable)
        return torch.optim.SGD(groups, rate, self.momentum, nesterov=self.momentum > 0, fused=True)
