"""Published data sets as tensors: what torchvision reads, cut to a task's classes, channels and size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.data.sources import DATA_SETS, content
from benchmark.data.tasks import Task
from benchmark.errors import BenchError

Labelled = tuple[Tensor, Tensor]  # images uint8 (N, C, H, W), classes int64 (N,)


def read(task: Task) -> list[Labelled]:
    """The training images of a data set, and its own test images. Raises BenchError if damaged."""
    paths = task.paths()
    try:
        parts = _torchvision(task, paths)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise BenchError(f"task {task.name}: {paths[0].parent} can't be read: {error}: fetch its files anew") from error
    return [_fitted(*part, task) for part in parts]


def _torchvision(task: Task, paths: list[Path]) -> list[Labelled]:
    if task.data_set == "stl10":  # by hand: torchvision hashes 2.8 GB of unlabelled images each time
        return [read_stl10(paths[0], paths[1]), read_stl10(paths[2], paths[3])]
    if paths[0].name.partition(".")[0].endswith("ubyte"):  # by hand: torchvision reads no archives
        return [read_idx(paths[0], paths[1]), read_idx(paths[2], paths[3])]
    from torchvision import datasets  # only here: it takes a second to import

    depth = len(Path(task.files[0]).parts) - 1
    make = getattr(datasets, DATA_SETS[task.data_set].torchvision)
    return [_tensors(make(paths[0].parents[depth], train=part, download=False)) for part in (True, False)]


def read_idx(images: Path, labels: Path) -> Labelled:
    """Files of the MNIST family: four bytes of type, the sizes as four bytes each, and the numbers."""
    x = np.frombuffer(content(images), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    y = np.frombuffer(content(labels), np.uint8, offset=8).astype(np.int64)
    return torch.from_numpy(x.copy()), torch.from_numpy(y)


def _tensors(found: object) -> Labelled:
    data, targets = torch.as_tensor(found.data), torch.as_tensor(found.targets)  # type: ignore[attr-defined]
    return data.permute(0, 3, 1, 2).contiguous(), targets.long()


def read_stl10(images: Path, labels: Path) -> Labelled:
    x = np.fromfile(images, np.uint8).reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)  # stored column by column
    y = np.fromfile(labels, np.uint8).astype(np.int64) - 1
    return torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y)


def _fitted(x: Tensor, y: Tensor, task: Task) -> Labelled:
    """The first `task.classes` classes, in the task's channels and size."""
    if int(y.max()) >= task.classes:
        x, y = x[y < task.classes], y[y < task.classes]
    channels, *size = task.shape
    if list(x.shape[2:]) != size:
        resized = [F.interpolate(part.float(), size, mode="bilinear", antialias=True) for part in x.split(1000)]
        x = torch.cat([part.round().clamp(0, 255).to(torch.uint8) for part in resized])
    return x.expand(-1, channels, -1, -1) if x.shape[1] == 1 else x, y
