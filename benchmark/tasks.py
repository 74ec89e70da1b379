"""Tasks: a data set, its splits and the unit of its utility. Pure: the images are read in `data.py`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.identity import canonical

DATA_ROOT = "BENCH_DATA_ROOT"
SPLIT_SEED = 20180213  # one fixed permutation for everybody: a split is part of the task, not of a seed


@dataclass(frozen=True)
class Task:
    """What is learnt, and who holds which images.

    `shape` is (channels, height, width); `owner`, `thief` and `test` count the images of three disjoint splits;
    the judge's probe data is the test split, which neither the owner nor the thief ever sees.
    """

    name: str
    kind: str
    classes: int
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    owner: int
    thief: int
    test: int
    unit: str
    package: str  # the installed package that carries the files; "" where they lie in the data root
    files: tuple[str, ...]

    def paths(self) -> list[Path]:
        """The files of the data. Raises BenchError where one is missing."""
        folder = _package_folder(self.package) if self.package else data_root()
        for name in self.files:
            if not (folder / name).is_file():
                mend = f"reinstall {self.package}" if self.package else "give their folder with --data-root"
                raise BenchError(f"task {self.name}: {folder / name} is missing: {mend}")
        return [folder / name for name in self.files]

    def data_hash(self) -> str:
        """SHA-256 over the data's files and the declaration of its splits, so equal hashes mean equal images."""
        return _hash(self, data_root())


def data_root() -> Path:
    """Where data sets lie that no package carries: the environment's BENCH_DATA_ROOT, else `data`."""
    return Path(os.environ.get(DATA_ROOT, "data"))


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)  # finds a top-level package without importing it
    return Path(next(iter(spec.submodule_search_locations or ()), package)) if spec else Path(package)


@cache
def _hash(task: Task, _: Path) -> str:
    digest = hashlib.sha256(canonical({**asdict(task), "split_seed": SPLIT_SEED}).encode())
    for path in task.paths():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _photographs(name: str) -> Task:
    """Crops of scikit-learn's two photographs, degraded: see `photographs.py`."""
    return Task(
        name=name,
        kind="image-to-image",
        classes=0,
        shape=(3, 32, 32),
        mean=(),
        std=(),
        owner=512,
        thief=512,
        test=64,
        unit="dB",
        package="sklearn",
        files=("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    )


TASKS = {
    task.name: task
    for task in (
        _photographs("derain"),
        _photographs("denoise"),
        # scikit-learn's copy of the UCI handwritten digits (Alpaydin & Kaynak 1998): 1,797 real 8x8 scans, here 16x16
        Task(
            name="digits",
            kind="classification",
            classes=10,
            shape=(1, 16, 16),
            mean=(0.3,),
            std=(0.35,),
            owner=1000,
            thief=400,
            test=397,
            unit="points",
            package="sklearn",
            files=("datasets/data/digits.csv.gz",),
        ),
        # Xiao et al. 2017, as torchvision keeps it; owner and thief share the training set, the judge has the test set
        Task(
            name="fashion-mnist",
            kind="classification",
            classes=10,
            shape=(1, 28, 28),
            mean=(0.286,),
            std=(0.353,),
            owner=8000,
            thief=2000,
            test=2000,
            unit="points",
            package="",
            files=tuple(
                f"FashionMNIST/raw/{part}-ubyte"
                for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
            ),
        ),
    )
}


def find_task(name: str) -> Task:
    """The task called `name`. Raises BenchError with the close matches."""
    if name in TASKS:
        return TASKS[name]
    close = get_close_matches(name, TASKS)
    hint = f"did you mean {' or '.join(close)}?" if close else f"the tasks are {', '.join(sorted(TASKS))}"
    raise BenchError(f"no task is called {name!r}: {hint}")
