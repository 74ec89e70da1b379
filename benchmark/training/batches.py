"""Where the images of a training step come from: sources, and their batches in a random order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.data.splits import Data, as_float

Batch = tuple[Tensor, Tensor]  # images float (n, C, H, W) in [0, 1]; labels, soft targets or clean images
Step = Callable[[Sequence[Batch]], Tensor]
CHUNK = 2**26  # numbers that a chunk of images made ahead may hold: 256 MB


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

    @property
    def taken(self) -> int:
        """Images in each batch: all of them where there are fewer than `batch`."""
        return min(self.batch, len(self.x))


def cycle(source: BatchSource, rng: torch.Generator, together: int = 1) -> Iterator[Batch]:
    """Batches without end: a fresh permutation each time the images are used up, no short batch.

    `together`: how many batches each answer holds, one behind the other; the last ones of an epoch may be fewer.
    """
    batch = source.taken
    while True:
        order = torch.randperm(len(source.x), generator=rng, device=rng.device).to(source.x.device)
        for index in order[: len(order) // batch * batch].split(together * batch):
            targets = source.targets[index]
            yield as_float(source.x[index]), as_float(targets) if targets.dtype == torch.uint8 else targets


def ahead(
    source: BatchSource, rng: torch.Generator, prepare: Callable[[Batch], Batch] = lambda chunk: chunk
) -> Iterator[Batch]:
    """The batches of `cycle`, made many at a time: an epoch at once where a chunk can hold it.

    `prepare` sees a whole chunk. Nothing here waits for the device, as long as `rng` is on it.
    """
    numbers = source.taken * source.x[0].numel() * (2 if source.targets.dim() == 4 else 1)
    for chunk in cycle(source, rng, max(1, CHUNK // numbers)):
        yield from zip(*(part.split(source.taken) for part in prepare(chunk)), strict=True)
