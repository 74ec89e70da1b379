"""Counted work: multiply-adds of the layers that ran, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.module import register_module_forward_hook

from benchmark.training.loop import Meter


@contextmanager
def counted(meter: Meter) -> Iterator[None]:
    """Add to `meter.operations` what every convolution and linear layer computes meanwhile, forward and backward.

    One operation is one multiply-add. Backward counts as much as forward for the gradient of the weights and as much
    again for that of the input, where each is asked for: half of what torch.utils.flop_counter counts (that one imports
    a compiler on first use, which takes seconds). Elementwise work, normalisation and functional calls are left out.
    """

    def add(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(layer, _ConvNd | nn.Linear) or not isinstance(output, Tensor):
            return
        passes = 1
        if torch.is_grad_enabled() and output.requires_grad:
            passes += layer.weight.requires_grad + (bool(inputs) and inputs[0].requires_grad)
        meter.operations += passes * multiply_adds(layer, inputs, output)

    with register_module_forward_hook(add):
        yield


def multiply_adds(layer: _ConvNd | nn.Linear, inputs: tuple[Any, ...], output: Tensor) -> int:
    """Multiply-adds of one forward pass through a convolution or linear layer."""
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    window = math.prod(layer.kernel_size)
    if isinstance(layer, _ConvTransposeNd):
        return int(inputs[0].numel()) * layer.out_channels // layer.groups * window
    return output.numel() * layer.in_channels // layer.groups * window
