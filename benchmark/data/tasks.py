"""Tasks: a data set, its splits and the unit of its utility. Pure: `splits.py` reads the images."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from benchmark.data import class_folders
from benchmark.data.sources import DATA_SETS, DataSet, md5_of
from benchmark.description import did_you_mean
from benchmark.errors import BenchError
from benchmark.identity import canonical

DATA_ROOT = "BENCH_DATA_ROOT"
OWN_IMAGES = "folder:"
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
    data_set: str = ""  # which of `DATA_SETS` in the data root, or "folder:NAME"; "" where a package carries it
    validation: int = 0

    @property
    def source(self) -> DataSet:
        """Where the files of a task without a package come from."""
        return source_of(self.data_set)

    def paths(self) -> list[Path]:
        """The files of the data. Raises BenchError where one is missing."""
        source = self.source if self.data_set else DataSet(files=dict.fromkeys(self.files, ""))
        folder = package_folder(self.package) if self.package else data_root()
        if missing := next(source.missing(folder), None):
            mend = f"reinstall {self.package}" if self.package else "bench run fetches it, or give --data-root"
            raise BenchError(f"task {self.name}: {missing} is missing: {mend}")
        if not source.images:
            return [folder / name for name in self.files]
        path = class_folders.prepared(self.data_set, source, self.shape[1], folder)
        if not path.is_file():
            raise BenchError(f"task {self.name}: {path} is missing: bench run makes it from the images")
        return [path]

    def data_hash(self) -> str:
        """SHA-256 over the data's files and the declaration of its splits, so equal hashes mean equal images.

        Raises BenchError for a file that is missing, or is not the published one.
        """
        return _hash(self, data_root())


def data_root() -> Path:
    """Where data sets lie that no package carries: the environment's BENCH_DATA_ROOT, else `data`."""
    return Path(os.environ.get(DATA_ROOT, "data"))


def package_folder(package: str) -> Path:
    """Where an installed top-level package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    return Path(next(iter(spec.submodule_search_locations or ()), package)) if spec else Path(package)


def source_of(data_set: str) -> DataSet:
    """The data set of that name; "folder:NAME" is the user's own, in NAME/train and NAME/val."""
    if not data_set.startswith(OWN_IMAGES):
        return DATA_SETS[data_set]
    name = data_set.removeprefix(OWN_IMAGES)
    return DataSet(images=(f"{name}/train", f"{name}/val"))


@cache
def _hash(task: Task, root: Path) -> str:
    digest = hashlib.sha256(canonical({**asdict(task), "split_seed": SPLIT_SEED}).encode())
    published = {root / name: md5 for name, md5 in task.source.files.items()} if task.data_set else {}
    for path in task.paths():
        digest.update(path.read_bytes())
        if path in published and md5_of(path) != published[path]:
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
    """The task called `name`, also `folder:NAME` and `folder:NAME:SIZE`. Raises BenchError with the close matches."""
    if name in TASKS:
        return TASKS[name]
    if name.startswith(OWN_IMAGES):
        return _folder_task(name, data_root())
    raise BenchError(f"no task is called {name!r}: {did_you_mean(name, TASKS, 'the tasks are')}")


@cache
def _folder_task(name: str, root: Path) -> Task:
    """The user's own images in root/NAME/train and root/NAME/val, 224x224 unless the name ends in another size.

    A tenth of the training images is the thief's, a tenth is for validation, the rest is the owner's.
    """
    folder, _, written = name.removeprefix(OWN_IMAGES).partition(":")
    size = written or "224"
    if not folder or not size.isdecimal() or not 8 <= int(size) <= 1024:
        raise BenchError(f"task {name!r}: write folder:NAME or folder:NAME:SIZE, such as folder:imagenette:64")
    data_set = OWN_IMAGES + folder
    source = source_of(data_set)
    if missing := next(source.missing(root), None):
        raise BenchError(f"task {name}: {missing} is missing: one subfolder of images per class belongs there")
    train, val = (root / part for part in source.images)
    if class_folders.classes(train) != class_folders.classes(val):
        raise BenchError(f"task {name}: {train} and {val} have different subfolders: each class needs both")
    count, tenth = len(class_folders.images(train)), len(class_folders.images(train)) // 10
    return Task(
        name, len(class_folders.classes(train)), (3, int(size), int(size)), *_NATURAL,
        owner=count - 2 * tenth, thief=tenth, test=len(class_folders.images(val)), data_set=data_set, validation=tenth,
    )  # fmt: skip
