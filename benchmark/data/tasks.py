"""Tasks: a data set, its splits and the unit of its utility. Pure: `splits.py` reads the images."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from dataclasses import asdict, dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmark.data import class_folders, own_images
from benchmark.data.array_files import Shelf
from benchmark.data.sources import DATA_SETS, DataSet, content
from benchmark.description import did_you_mean, read
from benchmark.errors import BenchError
from benchmark.identity import canonical

DATA_ROOT = "BENCH_DATA_ROOT"
SPLIT_SEED = 20180213  # one fixed permutation for everybody: a split is part of the task, not of a seed


@dataclass(frozen=True)
class Task:
    """What is learnt, and who holds which images.

    `shape` is (channels, height, width); `owner`, `thief` and `test` count the images of three disjoint splits, the
    last of which only the judge sees. `validation` images are in none: no job reads them, recipes are chosen on them;
    0 where a task has none to spare.
    """

    name: str
    classes: int
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    owner: int
    thief: int
    test: int
    kind: str = "classification"
    unit: str = "points"
    package: str = ""  # the installed package that carries the files; "" where they lie in the data root
    files: tuple[str, ...] = ()
    data_set: str = ""  # of `DATA_SETS`, or the user's own, such as "folder:NAME"; "" where a package carries it
    validation: int = 0

    @property
    def source(self) -> DataSet:
        """Where the files of a task without a package come from."""
        if not own_images.is_own(self.data_set):
            return DATA_SETS[self.data_set]
        folder = self.data_set.partition(":")[2]
        return DataSet(images=tuple(f"{folder}/{part}" for part in self.files))

    @property
    def folder(self) -> Path:
        """What the data lie in."""
        return package_folder(self.package) if self.package else data_root()

    @property
    def shelf(self) -> Shelf:
        """Where the splits are kept once they are prepared."""
        return Shelf.of(self.name, data_root(), self.package)

    def missing(self) -> Path | None:
        """The first file or folder of a data set that does not lie unpacked in the data root."""
        return next(self.source.missing(data_root()), None) if self.data_set else None

    def paths(self) -> list[Path]:
        """The files of the data, or the folders of pictures. Raises BenchError where one is missing."""
        source = self.source if self.data_set else DataSet(files=dict.fromkeys(self.files, ""))
        if missing := next(source.missing(self.folder), None):
            mend = f"reinstall {self.package}" if self.package else "bench run fetches it, or give --data-root"
            raise BenchError(f"task {self.name}: {missing} is missing: {mend}")
        return [*(source.file(self.folder, name) for name in source.files), *map(self.folder.joinpath, source.images)]

    def pictures(self) -> list[tuple[Path, list[Path]]]:
        """The folders of pictures, and the pictures in each of them, in order; none where the data are no pictures."""
        source, read = (self.source if self.data_set else DataSet()), own_images.pictures
        return [(path, read(path, self.kind, source.left_out)) for path in map(self.folder.joinpath, source.images)]

    def last_seen(self) -> str:
        """By what pictures are known to be the same without being read; "" where the data are no pictures."""
        seen = [class_folders.last_seen(*part) for part in self.pictures()]
        return hashlib.sha256(canonical(seen).encode()).hexdigest() if seen else ""

    def data_hash(self) -> str:
        """SHA-256 over the data's files and the declaration of its splits, so equal hashes mean equal images.

        Raises BenchError for a file that is missing, or is not the published one.
        """
        return _hash(self, data_root())

    def declaration(self) -> dict[str, Any]:
        """Every field, as JSON gives it back."""
        found: dict[str, Any] = json.loads(canonical(asdict(self)))
        return found


def data_root() -> Path:
    """Where data sets lie that no package carries: the environment's BENCH_DATA_ROOT, else `data`."""
    return Path(os.environ.get(DATA_ROOT, "data"))


def package_folder(package: str) -> Path:
    """Where an installed top-level package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    return Path(next(iter(spec.submodule_search_locations or ()), package)) if spec else Path(package)


@cache
def _hash(task: Task, root: Path) -> str:
    """root: that of the data, which the task's files lie in."""
    digest = hashlib.sha256(canonical({**asdict(task), "split_seed": SPLIT_SEED}).encode())
    published = list(task.source.files.values()) if task.data_set else []
    pictures = task.pictures()
    if pictures and (known := task.shelf.find()):
        description = known[1]
        if (description.task, description.last_seen) == (task.declaration(), task.last_seen()):
            return description.data
    for part in pictures:
        for piece in class_folders.content(*part):
            digest.update(piece)
    for path, md5 in zip_longest([] if pictures else task.paths(), published):
        try:
            whole = content(path) if md5 else path.read_bytes()
        except OSError as error:
            raise BenchError(
                f"task {task.name}: {path} can't be read ({error}): remove it, and it is fetched anew"
            ) from error
        digest.update(whole)
        if md5 and hashlib.md5(whole, usedforsecurity=False).hexdigest() != md5:
            raise BenchError(f"task {task.name}: {path} is not the published file: remove it, and it is fetched anew")
    return digest.hexdigest()


def _published(name: str, data_set: str, owner: int, thief: int, validation: int, test: int) -> Task:
    classes, shape, mean, std = _CLASSIFIED.get(name) or _CLASSIFIED[name.rpartition("-")[0]]
    return Task(
        name, classes, shape, mean, std, owner, thief, test,
        files=tuple(DATA_SETS[data_set].files), data_set=data_set, validation=validation,
    )  # fmt: skip


_NATURAL = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's

# classes, shape, mean and standard deviation of the pixels, by data set or by task
_CLASSIFIED: dict[str, tuple[int, tuple[int, int, int], tuple[float, ...], tuple[float, ...]]] = {
    "mnist": (10, (1, 28, 28), (0.131,), (0.308,)),
    "fashion-mnist": (10, (1, 28, 28), (0.286,), (0.353,)),
    "fmnist5": (5, (3, 28, 28), (0.314,) * 3, (0.363,) * 3),  # KeyNet's: the first five classes, in three channels
    "cifar10": (10, (3, 32, 32), (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    "cifar100": (100, (3, 32, 32), (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "stl10": (10, (3, 96, 96), (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)),
    "stl10-32": (10, (3, 32, 32), (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)),
    "caltech101": (101, (3, 32, 32), *_NATURAL),
}

# data set; owner, thief, validation, test. "whole": the paper's training set but for a tenth; thieves take the
# owner's pool there (`thief.pool = "owner"`)
_SPLITS = {
    "mnist": ("mnist", 50_000, 5_000, 5_000, 10_000),
    "mnist-whole": ("mnist", 54_000, 0, 6_000, 10_000),
    "mnist-small": ("mnist", 4_000, 1_000, 1_000, 2_000),
    "fashion-mnist": ("fashion-mnist", 50_000, 5_000, 5_000, 10_000),
    "fashion-mnist-whole": ("fashion-mnist", 54_000, 0, 6_000, 10_000),
    "fashion-mnist-small": ("fashion-mnist", 4_000, 1_000, 1_000, 2_000),
    "fmnist5": ("fashion-mnist", 25_000, 2_500, 2_500, 5_000),
    "fmnist5-whole": ("fashion-mnist", 27_000, 0, 3_000, 5_000),
    "fmnist5-small": ("fashion-mnist", 4_000, 1_000, 1_000, 2_000),
    "cifar10": ("cifar10", 40_000, 5_000, 5_000, 10_000),
    "cifar10-whole": ("cifar10", 45_000, 0, 5_000, 10_000),
    "cifar10-small": ("cifar10", 8_000, 2_000, 2_000, 2_000),
    "cifar100": ("cifar100", 40_000, 5_000, 5_000, 10_000),
    "cifar100-whole": ("cifar100", 45_000, 0, 5_000, 10_000),
    "cifar100-small": ("cifar100", 8_000, 2_000, 2_000, 2_000),
    "stl10": ("stl10", 3_500, 1_000, 500, 8_000),
    "stl10-32": ("stl10", 3_500, 1_000, 500, 8_000),
    "caltech101": ("caltech101", 5_200, 900, 800, 1_777),
}


def _degraded(name: str) -> Task:
    """Crops of scikit-learn's two photographs, degraded: see `degraded_photos.py`."""
    return Task(
        name, classes=0, shape=(3, 32, 32), mean=(), std=(), owner=512, thief=512, test=64, kind="image-to-image",
        unit="dB", package="sklearn", files=("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    )  # fmt: skip


# scikit-learn's copy of the UCI handwritten digits (Alpaydin & Kaynak 1998): 1,797 real 8x8 scans, here 16x16
_DIGITS = Task(
    "digits", classes=10, shape=(1, 16, 16), mean=(0.3,), std=(0.35,), owner=1000, thief=400, test=397,
    package="sklearn", files=("datasets/data/digits.csv.gz",),
)  # fmt: skip
TASKS = {task.name: task for task in (_degraded("derain"), _degraded("denoise"), _DIGITS)} | {
    name: _published(name, *split) for name, split in _SPLITS.items()
}


def find_task(name: str) -> Task:
    """The task called `name`, or that of the user's own pictures. Raises BenchError with the close matches."""
    if name in TASKS:
        return TASKS[name]
    if own_images.is_own(name):
        return _own_task(name, data_root())
    raise BenchError(f"no task is called {name!r}: {did_you_mean(name, TASKS, 'the tasks are')}")


@cache
def _own_task(name: str, root: Path) -> Task:
    """The user's own pictures. A tenth of those for training is the thief's, a tenth is for validation.

    The judge's are a fifth of all where none lie apart; the rest is the owner's.
    """
    named = own_images.read_name(name)
    try:
        found = own_images.look(name, named, root)
    except PermissionError as error:
        return _own_task_as_prepared(name, root, error)
    tenth, test = found.train // 10, found.test or found.train // 5
    pairs = named.kind == own_images.PAIRS
    mean, std = ((), ()) if pairs else _NATURAL
    return Task(
        name, found.classes, (3, named.size, named.size), mean, std,
        owner=found.train - 2 * tenth - (0 if found.test else test), thief=tenth, test=test,
        kind="image-to-image" if pairs else "classification", unit="dB" if pairs else "points",
        files=found.parts, data_set=named.data_set, validation=tenth,
    )  # fmt: skip


def _own_task_as_prepared(name: str, root: Path, error: PermissionError) -> Task:
    """The task of pictures that lie closed to this process, such as a thief's, from what was prepared of them."""
    known = Shelf.of(name, root).find()
    if known is None:
        raise BenchError(f"task {name}: {error.filename} can't be read ({error.strerror}): mend it") from error
    return read(Task, known[1].task, f"task {name}")
