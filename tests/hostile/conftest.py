"""What a run of good faith finds, for comparison with runs in which somebody means harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import copied
from hostile_runs import VICTIMS, run

from ..conftest import once, shared_folder


@pytest.fixture(scope="session")
def clean(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store `base` after the attacks of good faith on adi, with no plug-in near. Copy it to change it."""
    made = shared_folder(tmp_path_factory) / "clean"
    once(made, lambda: run(copied(base, made), VICTIMS))
    return made
