"""Counted work: steps, images, and multiply-adds of the layers that ran, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.module import register_module_forward_hook

_counting: list[_Count] = []  # those of this process, the outermost first


@dataclass
class Meter:
    """What work cost: optimiser steps, images pushed forward and back, multiply-adds."""

    steps: int = 0
    samples: int = 0
    operations: int = 0

    def record(self) -> dict[str, int]:
        return asdict(self)


class _Count:
    """A hook behind every layer that adds to a meter."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.resume()

    def resume(self) -> None:
        self._hook = register_module_forward_hook(self._add)

    def pause(self) -> None:
        self._hook.remove()

    def _add(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(layer, _ConvNd | nn.Linear) or not isinstance(output, Tensor):
            return
        passes = 1
        if torch.is_grad_enabled() and output.requires_grad:
            passes += layer.weight.requires_grad + (bool(inputs) and inputs[0].requires_grad)
        self.meter.operations += passes * multiply_adds(layer, inputs, output)


@contextmanager
def counted(meter: Meter) -> Iterator[None]:
    """Add to `meter.operations` what every convolution and linear layer computes meanwhile, forward and backward.

    One operation is one multiply-add. Backward counts as much as forward for the gradient of the weights and as much
    again for that of the input, where each is asked for: half of what torch.utils.flop_counter counts (that one imports
    a compiler on first use, which takes seconds). Elementwise work, normalisation and functional calls are left out.
    """
    count = _Count(meter)
    _counting.append(count)
    try:
        yield
    finally:
        count.pause()
        _counting.remove(count)


@contextmanager
def uncounted() -> Iterator[None]:
    """Count nothing meanwhile: a compiler would take a hook for a part of the net."""
    for count in _counting:
        count.pause()
    try:
        yield
    finally:
        for count in _counting:
            count.resume()


def multiply_adds(layer: _ConvNd | nn.Linear, inputs: tuple[Any, ...], output: Tensor) -> int:
    """Multiply-adds of one forward pass through a convolution or linear layer."""
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    window = math.prod(layer.kernel_size)
    if isinstance(layer, _ConvTransposeNd):
        return int(inputs[0].numel()) * layer.out_channels // layer.groups * window
    return output.numel() * layer.in_channels // layer.groups * window
