"""The images of a task as tensors on the device: uint8 at rest, float in [0, 1] when a batch is taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.data.degraded_photos import crops
from benchmark.data.tasks import SPLIT_SEED, Task
from benchmark.data.torchvision_sets import read
from benchmark.errors import BenchError

HELD_OUT = 10  # a thief trains on all but every tenth of his images, and chooses his settings on those


@dataclass(frozen=True)
class Data:
    """Images `x` uint8 (N, C, H, W), and what is right for each: `y`, classes int64 (N,) or clean images uint8."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def images(self) -> Tensor:
        """Float (N, C, H, W) in [0, 1]: what every net takes."""
        return as_float(self.x)

    def take(self, index: Tensor) -> Data:
        return Data(self.x[index], self.y[index])

    def joined(self, other: Data) -> Data:
        return Data(torch.cat([self.x, other.x]), torch.cat([self.y, other.y]))

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


def _digits(task: Task) -> Data:
    rows = np.loadtxt(task.paths()[0], delimiter=",", dtype=np.float32)
    pixels = torch.from_numpy(rows[:, :-1]).view(-1, 1, 8, 8) / 16
    enlarged = as_bytes(F.interpolate(pixels, task.shape[1:], mode="bilinear"))
    return Data(enlarged, torch.from_numpy(rows[:, -1]).long())


def _read(task: Task) -> list[Data]:
    """The whole, and the data set's own test part unless the judge's images come out of the whole."""
    return [_digits(task)] if task.name == "digits" else [Data(*part) for part in read(task)]


def load(task: Task) -> Splits:
    """Read and split `task` on the CPU: one fixed permutation, cut into owner, thief and test.

    Crops of photographs come split already, by where they lie. Raises BenchError where the data set is too small.
    """
    if task.kind == "image-to-image":
        return Splits(*(Data(degraded, clean) for degraded, clean in crops(task)))
    whole, *own_test = _read(task)
    needed = task.owner + task.thief + task.validation + (0 if own_test else task.test)
    if len(whole) < needed or any(len(part) < task.test for part in own_test):
        raise BenchError(f"task {task.name}: {needed} images are needed and {len(whole)} are there: fetch them anew")
    rng = torch.Generator().manual_seed(SPLIT_SEED)
    order = torch.randperm(len(whole), generator=rng)
    owner, thief, rest = order.tensor_split([task.owner, task.owner + task.thief])
    judges = torch.randperm(len(own_test[0]), generator=rng) if own_test else rest
    test = (own_test or [whole])[0].take(judges[: task.test])
    return Splits(whole.take(owner), whole.take(thief), test)


def validation(task: Task) -> Data:
    """The images on which a recipe is chosen: the last of the same permutation, so in no split. No job reads them."""
    whole = _read(task)[0]
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(SPLIT_SEED))
    return whole.take(order[len(order) - task.validation :])


def thief_data(splits: Splits, pool: str, share: float, rng: torch.Generator) -> tuple[Data, Data]:
    """What the thief trains on and what he holds out, of `share` in [0, 1] of the pool; nested in the share.

    `pool` is "disjoint" (the thief's own split) or "owner" (the owner's training set, as many papers grant it).
    """
    whole = splits.thief if pool == "disjoint" else splits.owner
    order = torch.randperm(len(whole), generator=rng)[: round(share * len(whole))]
    held_out = torch.arange(len(order)) % HELD_OUT == HELD_OUT - 1
    return whole.take(order[~held_out]), whole.take(order[held_out])
