"""Two stores that every test of this folder starts from: before and after the attacks of good faith."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import arguments, bench
from hostile_runs import ADI, PASSPORT, VICTIMS, copied, run

from ..conftest import once, shared_folder


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results `base` and `clean`, made once even where pytest has several processes."""
    folder = shared_folder(tmp_path_factory)

    def make() -> None:
        made = bench(*arguments(folder / "base", schemes=f"{ADI},{PASSPORT}", attacks="none"))
        assert made.returncode == 0, made.stdout + made.stderr
        run(copied(folder / "base", folder / "clean"), VICTIMS)

    once(folder / "clean", make)
    return folder


@pytest.fixture(scope="session")
def base(stores: Path) -> Path:
    """Marked, innocent and unattacked models: adi and passport against `none`. Copy it to change it."""
    return stores / "base"


@pytest.fixture(scope="session")
def clean(stores: Path) -> Path:
    """The same after the attacks of good faith on adi, with no plug-in near. Copy it to change it."""
    return stores / "clean"
