"""What takes long is made once in a session, by whichever of pytest's processes needs it first."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The session's folder of temporary files that all of pytest's processes see."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def once(path: Path, make: Callable[[], object]) -> None:
    """Call `make`, which leaves something at `path`, unless some process has done so; who comes meanwhile waits."""
    with Path(f"{path}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not lock.seek(0, os.SEEK_END):
            make()
            lock.write("made")


def kept(folder: Path, name: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, from a file of `folder` where some process has made the thing of this name before."""
    path = folder / f"{sha256(name.encode()).hexdigest()}.pickle"
    once(path, lambda: path.write_bytes(pickle.dumps(make())))
    return pickle.loads(path.read_bytes())
