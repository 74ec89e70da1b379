"""Folders of pictures: which files count, of which class, in which order, and by what they are known again.

Hidden files and folders and what systems leave behind are no pictures and no classes. Pure: nothing is decoded here.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from benchmark.data.sources import IMAGE_SUFFIXES
from benchmark.errors import BenchError
from benchmark.files import sha256_of
from benchmark.identity import canonical

LEFT_BEHIND = frozenset({
    "__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "Thumbs.db", "desktop.ini",
})  # fmt: skip


@cache
def classes(folder: Path, left_out: str = "") -> dict[str, Path]:
    """The subfolders by name, sorted: class numbers follow their order.

    Names are in Unicode's composed form, for macOS writes the same name in another.
    """
    there = (path for path in _inside(folder) if path.name != left_out and path.is_dir())
    found: dict[str, Path] = {}
    for name, path in sorted((unicodedata.normalize("NFC", path.name), path) for path in there):
        if found.setdefault(name, path) is not path:
            raise BenchError(f"{folder} has two folders called {name}, written in two ways: rename one")
    return found


@cache
def images(folder: Path, left_out: str = "") -> tuple[tuple[Path, int], ...]:
    """Every picture with its class, in a fixed order. Raises BenchError when a class has none."""
    found = []
    for number, path in enumerate(classes(folder, left_out).values()):
        if not (paths := files(path)):
            raise BenchError(f"{path} holds no image ({', '.join(IMAGE_SUFFIXES)}): every class needs some")
        found += [(one, number) for one in paths]
    return tuple(found)


@cache
def files(folder: Path) -> tuple[Path, ...]:
    """Every picture in a folder and the folders below it, links followed, sorted."""
    return tuple(sorted(path for path in _files(folder) if path.suffix.lower() in IMAGE_SUFFIXES))


def other_files(folder: Path) -> Counter[str]:
    """What lies among the pictures and isn't read as one: how many files, by their ending."""
    return Counter(path.suffix.lower() for path in _files(folder) if path.suffix.lower() not in IMAGE_SUFFIXES)


def refuse_doubles(folders: Iterable[Path]) -> None:
    """Raise BenchError where links make one folder part of two: its pictures would count twice."""
    seen: dict[Path, Path] = {}
    for path in (below for folder in folders for below in _folders(folder)):
        twin = seen.setdefault(path.resolve(), path)
        if twin is not path:
            raise BenchError(f"{twin} and {path} are one folder, whose pictures would count twice: remove the link")


def _files(folder: Path) -> Iterator[Path]:
    return (path for below in _folders(folder) for path in _inside(below) if not path.is_dir())


@cache
def _folders(folder: Path) -> tuple[Path, ...]:
    """A folder and all below it, links followed. Raises BenchError for a link to a folder that it lies in."""
    return tuple(_walk(folder, tuple(folder.resolve().parents)))


def _walk(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:
        raise BenchError(f"{folder} leads to {real}, a folder that it lies in: remove the link")
    yield folder
    for path in _inside(folder):
        if path.is_dir():
            yield from _walk(path, (*above, real))


def _inside(folder: Path) -> list[Path]:
    """What a person put into a folder. Raises PermissionError where this process may not look, else BenchError."""
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in LEFT_BEHIND]
    except PermissionError:
        raise
    except OSError as error:
        raise BenchError(f"{folder} can't be read ({error.strerror}): mend it or remove it") from error


def last_seen(folder: Path, paths: Sequence[Path]) -> str:
    """A digest of names, sizes and times: while it stays the same, so does the content. Raises BenchError."""
    return hashlib.sha256(canonical([[name_in(folder, path), *_times(path)] for path in paths]).encode()).hexdigest()


def content(folder: Path, paths: Sequence[Path]) -> Iterator[bytes]:
    """Name and SHA-256 of each picture. Raises BenchError for one that can't be read."""
    for path in paths:
        try:
            digest = sha256_of(path)
        except OSError as error:
            raise _unreadable(path, error.strerror) from error
        yield canonical([name_in(folder, path), digest]).encode()


def name_in(folder: Path, path: Path) -> str:
    """A path below `folder` as a digest knows it."""
    return unicodedata.normalize("NFC", path.relative_to(folder).as_posix())


def _times(path: Path) -> tuple[int, int, int]:
    """A copy may keep the time of its writing, but not that of its change. Raises BenchError for what is no file."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    if not stat.S_ISREG(found.st_mode):
        raise _unreadable(path, "it is no regular file")
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _unreadable(path: Path, reason: str | None) -> BenchError:
    return BenchError(f"{path} can't be read as a picture: {reason}: mend it or remove it")
