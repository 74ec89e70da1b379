"""Random numbers for filters that are meant to be random: the same image gets the same ones whenever it is asked."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmark.data.splits import as_bytes


class Draws:
    """One random stream for each image of a batch. A filter whose `forward` takes a second argument is given it.

    `def forward(self, x, draws): return x + 0.1 * draws.normal(x.shape[1:])`. The streams follow from the images alone,
    so that a court which asks an image again gets the same answer, and can tell chance from a service that looks at
    what else it is asked.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._device = device

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers (N, *shape) on the device of the images, those of each image from its own stream."""
        return self._each(lambda rng: torch.randn(*shape, generator=rng))

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers (N, *shape) between 0 and 1."""
        return self._each(lambda rng: torch.rand(*shape, generator=rng))

    def _each(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        return torch.stack([draw(rng) for rng in self._streams]).to(self._device)


def seeds_of(x: Tensor) -> list[int]:
    """The seed of each image of (N, C, H, W) in [0, 1]: a hash of its bytes, whatever batch it comes in."""
    images = as_bytes(x).flatten(1).cpu().numpy()
    digests = (hashlib.sha256(b"draws" + image.tobytes()).digest() for image in images)
    return [int.from_bytes(digest[:7], "big") for digest in digests]


def takes_draws(stage: nn.Module) -> bool:
    """Whether a filter asks for random numbers beside the images."""
    return len(inspect.signature(stage.forward).parameters) > 1
