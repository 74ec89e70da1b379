"""What the driver hands a node with each step: the job, and copies of the files that the step may read.

A node gets no more of a store than a process with walls could read of it here (`walls.files_of_step`). The content of a
file goes into Ray's object store once, and serves every later step that needs it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray

from benchmark.execution.attempt import Attempt, Finished
from benchmark.execution.cluster.portable import packed
from benchmark.execution.walls import TaskFiles, files_of_step, splits_of_step
from benchmark.files import MOST_TENSORS, content, regular
from benchmark.planning.job import Job
from benchmark.vocabulary import JobStep

MOST_KEPT = 2 << 30  # bytes of a store's files that the object store keeps for later steps


@dataclass(frozen=True)
class Parcel:
    """A file on its way: the SHA-256 of its content, and a reference to the content, which is bytes."""

    digest: str
    content: Any


@dataclass(frozen=True)
class Order:
    """A step to carry out. attempt: at it alone, its job packed. files: by their paths below the node's folder."""

    attempt: Attempt
    files: Mapping[str, Parcel]


@dataclass(frozen=True)
class Report:
    """How a step ended on a node. left: the artefacts it left, by role. log: its end, where there was a mishap."""

    finished: Finished
    left: Mapping[str, bytes]
    log: bytes = b""


class Orders:
    """Makes orders from the store below `root` and the prepared images `data`."""

    def __init__(self, root: Path, data: TaskFiles) -> None:
        self._root, self._data = root, data
        self._kept: OrderedDict[tuple[str, str], tuple[Parcel, int]] = OrderedDict()  # the last used is the last
        self._bytes = 0  # of these
        self._for_good: dict[Path, Parcel] = {}  # images and plug-ins: as they were when they were first sent

    def order(self, attempt: Attempt, left: Mapping[str, bytes]) -> Order:
        """An order for the next step of an attempt; left: what the step before it left. Raises BenchError."""
        job, step = attempt.job, attempt.step
        portable, others = packed(job)
        files = self._as_first_sent(others | self._images(job, step))
        for name in files_of_step(job, step):
            if parcel := self._stored(name, job):
                files[f"store/{name}"] = parcel
        for role, data in left.items():
            files[f"store/work/{job.id}/{role}.safetensors"] = _parcel(data)
        return Order(replace(attempt, job=portable, steps=(step,), run={}), files)

    def descriptions(self) -> dict[str, Parcel]:
        """The files that say how the images of every task were prepared, by their paths below a node's folder."""
        paths = [Path(path) for files in self._data.values() for path in files["description"]]
        return self._as_first_sent({_place(path): path for path in paths})

    def _images(self, job: Job, step: JobStep) -> dict[str, Path]:
        files = self._data.get(job.payload["world"]["task"], {})
        return {_place(path): path for role in splits_of_step(job, step) for path in map(Path, files.get(role, ()))}

    def _stored(self, name: str, job: Job) -> Parcel | None:
        """A file of the store, or None where there is none: the step will say what it misses."""
        id, _, role = Path(name).name.removesuffix(".safetensors").partition(".")
        if known := self._known(name, job.given.get(id, {}).get(role, "")):
            return known
        try:
            data = content(self._root / name, MOST_TENSORS)
        except (OSError, ValueError):
            return None
        if known := self._known(name, hashlib.sha256(data).hexdigest()):
            return known
        parcel = _parcel(data)
        self._kept[name, parcel.digest] = parcel, len(data)
        self._bytes += len(data)
        while self._bytes > MOST_KEPT:
            self._bytes -= self._kept.popitem(last=False)[1][1]
        return parcel

    def _known(self, name: str, digest: str) -> Parcel | None:
        if (name, digest) not in self._kept:
            return None
        self._kept.move_to_end((name, digest))
        return self._kept[name, digest][0]

    def _as_first_sent(self, files: Mapping[str, Path]) -> dict[str, Parcel]:
        """Images and code, those that are there."""
        for path in files.values():
            if path not in self._for_good:
                with suppress(OSError), regular(path) as file:
                    self._for_good[path] = _parcel(file.read())
        return {name: self._for_good[path] for name, path in files.items() if path in self._for_good}


def _place(path: Path) -> str:
    """Where a prepared file of a task goes: into a data root of the node's own."""
    return f"data/prepared/{path.parent.name}/{path.name}"


def _parcel(data: bytes) -> Parcel:
    return Parcel(hashlib.sha256(data).hexdigest(), ray.put(data))
