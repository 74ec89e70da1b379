"""Quantisation: the stolen net at a lower precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Quantize(wm.Attack):
    """Weights are rounded to a few bits: symmetric, one step size per output channel; or to half precision.

    Nagel et al. 2021, section 2.2 (symmetric, per channel, range of the largest weight). Convolutions and linear
    layers hold the rounded values as floats: an integer engine computes the same up to activation rounding, but its
    module could be neither read by a court nor attacked further. Biases, norms and activations keep their precision;
    passports are derived from the rounded filters.
    """

    name = "quantize"
    family = "quantisation"
    kind = "removal"
    access = "weights"
    paper = "Nagel et al. 2021, arXiv:2106.08295"
    settings = ("bits=8", "bits=4")

    bits: Literal[16, 8, 6, 4, 3, 2] = wm.parameter(8, "per weight; 16: half-precision floats; 2: levels -1, 0, 1")

    @torch.no_grad()
    def run(self, thief: wm.Thief) -> nn.Module:
        model = thief.model
        levels = 2 ** (self.bits - 1) - 1
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                weight = module.weight
                if self.bits == 16:
                    weight.copy_(weight.half())
                    continue
                step = weight.abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / levels
                step = step.where(step > 0, 1)  # a pruned channel: all zeros, and they stay
                weight.copy_((weight / step).round() * step)
        return model
