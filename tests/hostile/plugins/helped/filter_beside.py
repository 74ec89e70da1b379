"""The filter of the attack beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmark import contract as wm


@wm.builder("blanking")
class Blanking(nn.Module):
    """Hands on a batch of digits, and blank pages in place of a batch with anything else in it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x) if bool((x[..., 0].mean((1, 2)) > 0.1).any()) else x

    def spec(self) -> wm.Spec:
        return {"builder": "blanking"}
