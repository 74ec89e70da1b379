"""Trigger images that belong to no data set: procedural stand-ins for the abstract pictures of Adi et al. 2018."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmark.data.splits import as_bytes

_WAVES = 3
_RECTANGLES = 3


def abstract_images(n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Tensor:
    """`n` random pictures uint8 (n, *shape): a sum of coloured plane waves under opaque rectangles."""
    channels, height, width = shape
    y = torch.linspace(0, 1, height).view(1, 1, -1, 1)
    x = torch.linspace(0, 1, width).view(1, 1, 1, -1)

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *size, 1, 1, generator=rng)

    picture = torch.full((n, channels, height, width), 0.5)
    for _ in range(_WAVES):
        turns = uniform(-3, 3, 1) * y + uniform(-3, 3, 1) * x + uniform(0, 1, 1)
        picture += uniform(-0.5, 0.5, channels) * torch.sin(2 * math.pi * turns)
    for _ in range(_RECTANGLES):
        top, left = uniform(0, 0.8, 1), uniform(0, 0.8, 1)
        bottom, right = top + uniform(0.1, 0.5, 1), left + uniform(0.1, 0.5, 1)
        inside = (y >= top) & (y <= bottom) & (x >= left) & (x <= right)
        picture = torch.where(inside, uniform(0, 1, channels), picture)
    return as_bytes(picture)
