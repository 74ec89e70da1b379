"""What all tests share: labs, real data, and runs that are finished."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from bench import SCHEME, arguments, bench, bench_here, bundle, copied
from lab import Exhibit, Lab
from own_pictures import cifar10_pack

TESTS = Path(__file__).parent
LONGEST = (  # files and folders whose tests take longest
    "test_contract.py", "leaderboard/pages/test_publish.py", "hostile", "reliability", "benchmark/app",
    "benchmark/execution", "test_", "schemes", "attacks",
)  # fmt: skip


def pytest_configure() -> None:
    """One thread each, as workers have: pytest's processes share the cores."""
    torch.set_num_threads(1)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: a sixth of the time, tests wait for processes that they started or for a clock."""
    return len(os.sched_getaffinity(0)) + 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first, so that none of pytest's processes is left with one at the end."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(TESTS).as_posix()
        return next((number for number, start in enumerate(LONGEST) if path.startswith(start)), len(LONGEST))

    items.sort(key=place)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The session's folder of temporary files that all of pytest's processes see."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def once(path: Path, make: Callable[[], object]) -> None:
    """Call `make`, which leaves something at `path`, unless another process has; who comes meanwhile waits."""
    with Path(f"{path}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not lock.seek(0, os.SEEK_END):
            make()
            lock.write("made")


class SharedLab(Lab):
    """A lab whose unmarked and marked models lie in `folder`, made once for every process with a lab on it."""

    def __init__(self, folder: Path, kind: str = "classification") -> None:
        super().__init__(kind)
        task = self.context.task.name

        def kept(name: str, make: Callable[[], Exhibit]) -> Exhibit:
            path = folder / f"{sha256(f'{task}: {name}'.encode()).hexdigest()}.pickle"
            once(path, lambda: path.write_bytes(pickle.dumps(make())))
            exhibit: Exhibit = pickle.loads(path.read_bytes())
            return exhibit

        def null(index: int) -> Exhibit:
            return kept(f"null {index}", lambda: self._null(index))

        def embed(scheme: Any, replicate: int = 0) -> Exhibit:
            name = f"{type(scheme).__module__}.{scheme}, seed {replicate}"
            return kept(name, lambda: self.embed_afresh(scheme, replicate))

        self.null, self.embed = cache(null), cache(embed)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return SharedLab(shared_folder(tmp_path_factory))


def _real(folder: str) -> Path:
    """A folder of real files beside the project; a test that needs it skips where there is none."""
    path = Path(os.environ.get("BENCH_DATA", "../shared/data")) / folder
    if not path.is_dir():
        pytest.skip(f"{path} is not here: set BENCH_DATA to a folder that has {folder}")
    return path


@pytest.fixture(scope="session")
def fashion_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the four published archives of Fashion-MNIST, packed. Copy it to change it."""
    root = tmp_path_factory.mktemp("fashion-mnist")
    shutil.copytree(_real("FashionMNIST"), root / "FashionMNIST")
    return root


@pytest.fixture(scope="session")
def cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the published batches of CIFAR-10."""
    root = tmp_path_factory.mktemp("cifar10")
    cifar10_pack(_real("cifar10")).write_batches(str(root))
    return root


@pytest.fixture(scope="session")
def image_lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return SharedLab(shared_folder(tmp_path_factory), "image-to-image")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder after one undisturbed run of the small profile with two workers. Copy it to change it."""
    made = shared_folder(tmp_path_factory) / "finished"

    def make() -> None:
        done = bench(*arguments(made, "--workers", "2"))
        assert done.returncode == 0, done.stdout + done.stderr

    once(made, make)
    return shutil.copytree(made, tmp_path_factory.mktemp("finished") / "results", copy_function=shutil.copy2)


@pytest.fixture(scope="session")
def base(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of marked, innocent and unattacked models alone: adi and passport against `none`. Copy it to change it.

    Its unmarked models are those of `finished`, so that nobody waits for them twice.
    """
    made = shared_folder(tmp_path_factory) / "base"

    def make() -> None:
        copied(finished, made)
        code, _, error = bench_here(*arguments(made, schemes=f"{SCHEME},passport", attacks="none"))
        assert code == 0, error
        bench_here("store", "gc", "--results", str(made))

    once(made, make)
    return made


@pytest.fixture(scope="session")
def bundled(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one cell of that run. Copy it to change it."""
    return bundle(finished, tmp_path_factory.mktemp("bundled") / "cell", "adi", "prune(amount=0.3)")
