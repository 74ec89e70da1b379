"""Tasks: a data set, its splits and the unit of its utility. Pure: the images are read in `data.py`."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.identity import canonical

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
    file: tuple[str, str]  # (package, path inside it): what the task's pixels are read from

    def path(self) -> Path:
        """The file of the data. Raises BenchError when the package that carries it is not installed."""
        package, inside = self.file
        spec = importlib.util.find_spec(package)
        path = Path(next(iter(spec.submodule_search_locations or ()), "")) / inside if spec else Path(inside)
        if spec is None or not path.is_file():
            raise BenchError(f"task {self.name}: {inside} of the package {package} is missing: reinstall {package}")
        return path

    def data_hash(self) -> str:
        """SHA-256 over the data's file and the declaration of its splits, so equal hashes mean equal images."""
        return _hash(self)


@cache
def _hash(task: Task) -> str:
    digest = hashlib.sha256(canonical({**asdict(task), "split_seed": SPLIT_SEED}).encode())
    digest.update(task.path().read_bytes())
    return digest.hexdigest()


TASKS = {
    task.name: task
    for task in (
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
            file=("sklearn", "datasets/data/digits.csv.gz"),
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
