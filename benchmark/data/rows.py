"""The rows of a task's splits out of its files: whose each image is, decoded, in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from benchmark.data import class_folders
from benchmark.data.degraded_photos import DEGRADATIONS, crops
from benchmark.data.image_files import picture
from benchmark.data.tasks import SPLIT_SEED, Task
from benchmark.data.torchvision_sets import read
from benchmark.errors import BenchError

PIECE = 256  # images that are in memory at a time, where they are read from pictures
Piece = tuple[np.ndarray, np.ndarray]  # images uint8 (n, C, H, W); classes int64 (n,), or clean images


class _Part(Protocol):
    """A data set's training images, or those that it gives to the judge."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Piece: ...


@dataclass(frozen=True)
class _Arrays:
    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Tensor) -> Piece:
        return self.x[index].numpy(), self.y[index].numpy()


@dataclass(frozen=True)
class _Pictures:
    """Pictures of which the shorter side is scaled to `size` (antialiased, bilinear) and the middle kept."""

    inputs: Sequence[Path]
    targets: Sequence[int] | Sequence[Path]  # classes, or the clean picture of each
    size: int

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, index: Tensor) -> Piece:
        pairs = [self._pair(self.inputs[one], self.targets[one]) for one in index.tolist()]
        x, y = (np.stack(side) for side in zip(*pairs, strict=True))
        return x, y

    def _pair(self, path: Path, target: int | Path) -> Piece:
        opened = picture(path, "RGB")
        if isinstance(target, int):
            return self._square(opened), np.array(target, np.int64)
        clean = picture(target, "RGB")
        if clean.size != opened.size:
            raise BenchError(
                f"{path} is {opened.width}x{opened.height} and {target} {clean.width}x{clean.height}: "
                "an input and its target are of one size"
            )
        return self._square(opened), self._square(clean)

    def _square(self, opened: Image.Image) -> np.ndarray:
        fitted = ImageOps.fit(opened, (self.size, self.size), Image.Resampling.BILINEAR)
        return np.asarray(fitted).transpose(2, 0, 1)


def rows(task: Task) -> Mapping[str, Iterator[Piece]]:
    """The rows of the roles owner, thief, test and validation: one fixed permutation, cut.

    Crops of photographs come split already, by where they lie. Raises BenchError where the data set is too small.
    """
    if task.name in DEGRADATIONS:
        named = {role: _Arrays(*part) for role, part in zip(("owner", "thief", "test"), crops(task), strict=True)}
        named["validation"] = _Arrays(*(side[:0] for side in crops(task)[0]))
        return {role: iter([part.take(torch.arange(len(part)))]) for role, part in named.items()}
    parts = _parts(task)
    whole, own_test = len(parts[0]), len(parts[1]) if len(parts) > 1 else None
    needed = task.owner + task.thief + task.validation + (task.test if own_test is None else 0)
    if whole < needed or (own_test is not None and own_test < task.test):
        raise BenchError(f"task {task.name}: {needed} images are needed and {whole} are there: fetch them anew")
    rng = torch.Generator().manual_seed(SPLIT_SEED)
    order = torch.randperm(whole, generator=rng)
    owner, thief, rest = order.tensor_split([task.owner, task.owner + task.thief])
    judges = rest if own_test is None else torch.randperm(own_test, generator=rng)
    last = order[whole - task.validation :]
    return {
        "owner": _pieces(parts[0], owner),
        "thief": _pieces(parts[0], thief),
        "test": _pieces(parts[-1], judges[: task.test]),
        "validation": _pieces(parts[0], last),
    }


def _pieces(part: _Part, index: Tensor) -> Iterator[Piece]:
    return (part.take(piece) for piece in index.split(PIECE) if len(piece))


def _parts(task: Task) -> Sequence[_Part]:
    if task.name == "digits":
        return [_digits(task)]
    if not (pictures := task.pictures()):
        return [_Arrays(*part) for part in read(task)]
    size, (folders, paths) = task.shape[1], zip(*pictures, strict=True)
    if task.kind == "image-to-image":
        return [_Pictures(inputs, clean, size) for inputs, clean in zip(paths[::2], paths[1::2], strict=True)]
    listed = (class_folders.images(folder, task.source.left_out) for folder in folders)
    return [_Pictures([path for path, _ in part], [number for _, number in part], size) for part in listed]


def _digits(task: Task) -> _Arrays:
    table = np.loadtxt(task.paths()[0], delimiter=",", dtype=np.float32)
    pixels = torch.from_numpy(table[:, :-1]).view(-1, 1, 8, 8) / 16
    enlarged = F.interpolate(pixels, task.shape[1:], mode="bilinear").clamp(0, 1)
    return _Arrays((enlarged * 255).round().to(torch.uint8), torch.from_numpy(table[:, -1]).long())
