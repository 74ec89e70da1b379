"""Files that appear whole or not at all: written under a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replaced(path: Path, *, secret: bool = False) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of `path` at the end; after an exception `path` is as it was.

    Folders are made. secret: nobody else can read the file, not for a moment. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb", opener=partial(os.open, mode=0o600 if secret else 0o666)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write(path: Path, data: bytes, *, secret: bool = False) -> None:
    """Put `data` in the place of `path`. Raises OSError."""
    with replaced(path, secret=secret) as file:
        file.write(data)
