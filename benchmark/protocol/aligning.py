"""Alignment of nets for plug-ins: what it costs enters no bill."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from benchmark.architectures import alignment
from benchmark.training.flops import uncounted


def aligned(model: nn.Module, reference: nn.Module, shape: Sequence[int]) -> nn.Module:
    """A plain net that computes what `model` does on images (C, H, W) of `shape`, its channels in the order of those of
    `reference` that are most alike; see `benchmark.architectures.alignment.aligned`. Raises ValueError for nets of
    different shapes.

    It reads weights alone, and traces a net of a shape once for a process: so nothing of it is counted.
    """
    with uncounted():
        return alignment.aligned(model, reference, shape)
