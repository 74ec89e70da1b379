"""Two stores that every test of this folder starts from: before and after the attacks of good faith."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from bench import arguments, bench
from hostile_runs import ADI, PASSPORT, VICTIMS, copied, run


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results `base` and `clean`, made once even where pytest has several processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "hostile.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "clean").exists():
            made = bench(*arguments(folder / "base", schemes=f"{ADI},{PASSPORT}", attacks="none"))
            assert made.returncode == 0, made.stdout + made.stderr
            run(copied(folder / "base", folder / "clean"), VICTIMS)
    return folder


@pytest.fixture(scope="session")
def base(stores: Path) -> Path:
    """Marked, innocent and unattacked models: adi and passport against `none`. Copy it to change it."""
    return stores / "base"


@pytest.fixture(scope="session")
def clean(stores: Path) -> Path:
    """The same after the attacks of good faith on adi, with no plug-in near. Copy it to change it."""
    return stores / "clean"
