"""The images of a task as tensors on the device: uint8 at rest, float in [0, 1] when a batch is taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.tasks import SPLIT_SEED, Task

POOLS = ("disjoint", "owner")
HELD_OUT = 10  # a thief trains on all but every tenth of his images, and chooses his settings on those


@dataclass(frozen=True)
class Data:
    """`x` uint8 (N, C, H, W), `y` int64 (N,): class numbers."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def images(self) -> Tensor:
        """Float (N, C, H, W) in [0, 1]: what every net takes."""
        return as_float(self.x)

    def take(self, index: Tensor) -> Data:
        return Data(self.x[index], self.y[index])

    def to(self, device: torch.device) -> Data:
        return Data(self.x.to(device), self.y.to(device))


def as_float(x: Tensor) -> Tensor:
    """uint8 pixels to [0, 1]."""
    return x.float() / 255


def as_bytes(x: Tensor) -> Tensor:
    """Pixels in [0, 1] to uint8, rounded: the form in which a trigger is kept, hashed and sent."""
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


@dataclass(frozen=True)
class Splits:
    """Three disjoint parts: what the owner trains on, what the thief has, what only the judge has."""

    owner: Data
    thief: Data
    test: Data


def _digits(task: Task) -> tuple[Tensor, Tensor]:
    rows = np.loadtxt(task.path(), delimiter=",", dtype=np.float32)
    pixels = torch.from_numpy(rows[:, :-1]).view(-1, 1, 8, 8) / 16
    return as_bytes(F.interpolate(pixels, task.shape[1:], mode="bilinear")), torch.from_numpy(rows[:, -1]).long()


_READERS = {"digits": _digits}


@cache
def load(task: Task) -> Splits:
    """Read and split `task` on the CPU: one fixed permutation, cut into owner, thief and test."""
    x, y = _READERS[task.name](task)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(SPLIT_SEED))
    whole = Data(x[order], y[order])
    owner, thief, test = torch.arange(len(x))[: task.owner + task.thief + task.test].split(
        [task.owner, task.thief, task.test]
    )
    return Splits(whole.take(owner), whole.take(thief), whole.take(test))


def thief_data(splits: Splits, pool: str, share: float, rng: torch.Generator) -> tuple[Data, Data]:
    """What the thief trains on, and what he holds out: `share` in [0, 1] of the pool, cut once.

    Both parts are nested in the share for equal `rng`. `pool` is "disjoint" (the thief's own split) or "owner" (the
    owner's training set, as many papers grant it).
    """
    whole = splits.thief if pool == "disjoint" else splits.owner
    order = torch.randperm(len(whole), generator=rng)[: round(share * len(whole))]
    held_out = torch.arange(len(order)) % HELD_OUT == HELD_OUT - 1
    return whole.take(order[~held_out]), whole.take(order[held_out])
