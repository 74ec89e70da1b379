"""The images of a task as tensors on the device: uint8 at rest, float in [0, 1] when a batch is taken."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.data import prepared
from benchmark.data.array_files import DamagedArray, mapped
from benchmark.data.prepared import prepare_splits as prepare_splits
from benchmark.data.prepared import source_files as source_files
from benchmark.data.prepared import split_files as split_files
from benchmark.data.tasks import Task
from benchmark.errors import BenchError

HELD_OUT = 10  # a thief holds back a tenth of his images, and chooses his settings on those


@dataclass(frozen=True)
class Data:
    """Images `x` uint8 (N, C, H, W), and what is right for each: `y`, classes int64 (N,) or clean images uint8."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    @property
    def nbytes(self) -> int:
        return self.x.nbytes + self.y.nbytes

    def images(self) -> Tensor:
        """Float (N, C, H, W) in [0, 1]: what every net takes."""
        return as_float(self.x)

    def take(self, index: Tensor) -> Data:
        return Data(self.x[index], self.y[index])

    def joined(self, other: Data) -> Data:
        return Data(torch.cat([self.x, other.x]), torch.cat([self.y, other.y]))

    def to(self, device: torch.device) -> Data:
        return Data(self.x.to(device), self.y.to(device))

    def copy(self) -> Data:
        """The same images in tensors of their own."""
        return Data(self.x.clone(), self.y.clone())


def as_float(x: Tensor) -> Tensor:
    """uint8 pixels to [0, 1]."""
    return x.float() / 255


def as_bytes(x: Tensor) -> Tensor:
    """Pixels in [0, 1] to uint8, rounded: the form in which a trigger is kept, hashed and sent."""
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


@dataclass(frozen=True)
class Holdings:
    """A thief's images: `labelled` ones, and `unlabelled` ones, uint8 (N, C, H, W), whose labels nobody told him."""

    labelled: Data
    unlabelled: Tensor

    @classmethod
    def of(cls, labelled: Data) -> Holdings:
        """Those of a thief who has labels for all he has."""
        return cls(labelled, labelled.x[:0])

    def __len__(self) -> int:
        return len(self.labelled) + len(self.unlabelled)

    @property
    def nbytes(self) -> int:
        return self.labelled.nbytes + self.unlabelled.nbytes

    @property
    def inputs(self) -> Tensor:
        """All of them without labels, uint8 (N, C, H, W): the labelled ones first."""
        return torch.cat([self.labelled.x, self.unlabelled])

    def joined(self, other: Holdings) -> Holdings:
        return Holdings(self.labelled.joined(other.labelled), torch.cat([self.unlabelled, other.unlabelled]))

    def to(self, device: torch.device) -> Holdings:
        return Holdings(self.labelled.to(device), self.unlabelled.to(device))

    def copy(self) -> Holdings:
        """The same images in tensors of their own."""
        return Holdings(self.labelled.copy(), self.unlabelled.clone())


@dataclass(frozen=True)
class Splits:
    """Three disjoint parts: what the owner trains on, what the thief has, what only the judge has."""

    owner: Data
    thief: Data
    test: Data


def load_split(task: Task, role: str, data: str | None = None) -> Data:
    """The images of one role ("owner", "thief", "test" or "validation") on the CPU, from that role's files alone.

    They are mapped into memory, and shared by all who do so until somebody writes into his; prepared first where nobody
    did so. data: the data hash that a plan was made with. Raises BenchError where the files are damaged or made from
    other data.
    """
    if task.shelf.find() is None:
        prepare_splits(task)
    try:
        x, y = map(mapped, prepared.arrays(task, role, data), prepared.forms(task, role))
    except DamagedArray as error:
        raise BenchError(
            f"task {task.name}: its {role} images are damaged ({error}): bench run makes them anew"
        ) from error
    return Data(torch.from_numpy(x), torch.from_numpy(y))


def load(task: Task) -> Splits:
    """The three splits of `task` on the CPU, prepared first where they are not. Raises BenchError."""
    prepare_splits(task)
    return Splits(*(load_split(task, role) for role in ("owner", "thief", "test")))


def thief_data(
    pool: Data, labelled: int, unlabelled: int, rng: torch.Generator, kind: str = "classification"
) -> tuple[Holdings, Holdings]:
    """What a thief uses of `pool`, and what he holds out: images `rng` puts in an order, the first of them `labelled`.

    He holds out the last tenth of his images, so no labelled one as long as he has others; on tasks of the `kind`
    image-to-image the last tenth of the labelled ones (of several at least one), since what a service answers tells
    nothing of how good it is. What he uses is nested in both numbers.
    """
    order = torch.randperm(len(pool), generator=rng)[: labelled + unlabelled]
    own, more = order[:labelled], order[labelled:]
    if kind == "image-to-image":
        spare_own, spare_more = min(-(-len(own) // HELD_OUT), max(0, len(own) - 1)), 0
    else:
        spare_more = min(len(more), len(order) // HELD_OUT)
        spare_own = len(order) // HELD_OUT - spare_more
    (own, own_out), (more, more_out) = (
        some.tensor_split([len(some) - spare]) for some, spare in ((own, spare_own), (more, spare_more))
    )
    return Holdings(pool.take(own), pool.x[more]), Holdings(pool.take(own_out), pool.x[more_out])
