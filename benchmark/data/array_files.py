"""Arrays in files of their own, written once, known by their checksums, and mapped into memory.

    prepared/<task>/<reader>.json           what the arrays were made from, and their checksums
    prepared/<task>/<digest>-<role>-x.npy   and -y.npy: NumPy's format 1.0

They lie in the data root or, where that can't be written, in the user's cache, and may be deleted when no run needs
them. numpy is imported where arrays are read or written, so that whoever merely names a task doesn't wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from benchmark.description import read
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError, message_of, refused
from benchmark.files import read_json, regular, replaced, sha256_of, user_cache, write_whole

if TYPE_CHECKING:
    import numpy as np

ArrayForm = tuple[tuple[int, ...], str]  # shape and dtype of an array
_ARRAY = re.compile(r"[0-9a-f]{12}-[a-z]+-[xy]\.npy")


class DamagedArray(Exception):
    """A file is not what was written; the message says how it shows."""


@dataclass(frozen=True)
class Description:
    """What was prepared of a task.

    task: its declaration. data: its data hash. last_seen: that of the pictures (`class_folders.last_seen`); "" for
    other data. files: their SHA-256, by name.
    """

    task: Mapping[str, Any]
    data: str
    last_seen: str
    files: Mapping[str, str]

    def __post_init__(self) -> None:
        if not all(map(_ARRAY.fullmatch, self.files)):
            raise ValueError("files must be names of arrays in this folder")


@dataclass(frozen=True)
class Shelf:
    """Where the arrays of one task lie, as this version reads them: in the first of `places` that can be written."""

    places: tuple[Path, ...]
    reader: str  # digest of the code that reads the data: another version keeps its own arrays

    @classmethod
    def of(cls, task: str, root: Path, package: str = "") -> Shelf:
        """root: the data root, which tells tasks of one name apart unless a package carries the data."""
        name = re.sub(r"[^a-z0-9.-]+", "-", task.lower())[-60:].strip("-")
        if name != task:
            name += f"-{_short(task)}"
        cache = user_cache() / "prepared" / _short(package or str(root.resolve())) / name
        places = (root / "prepared" / name, cache) if root.is_dir() else (cache,)
        return cls(places, source_hash(Path(__file__).with_name("rows.py"))[:12])

    @property
    def folders(self) -> list[Path]:
        """Where the arrays of all tasks lie."""
        return [next(one for one in place.parents if one.name == "prepared") for place in self.places]

    def array(self, place: Path, data: str, role: str, side: str) -> Path:
        return place / f"{_short(data + self.reader)}-{role}-{side}.npy"

    def find(self) -> tuple[Path, Description] | None:
        """The description and its folder: the cache first, which is emptied when the data root is written."""
        for place in reversed(self.places):
            try:
                return place, read(Description, read_json(place / f"{self.reader}.json", ""))
            except BenchError:
                continue  # not there, or damaged: it is made again
        return None

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[Path]:
        """The folder to write into, for this process alone. Raises BenchError where none can be written."""
        with ExitStack() as stack:
            for place in self.places:
                try:
                    place.mkdir(parents=True, exist_ok=True)
                    lock = stack.enter_context((place / "lock").open("w"))
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        say(f"waiting for another run, which prepares {place}")
                        fcntl.flock(lock, fcntl.LOCK_EX)
                except OSError as error:
                    if not refused(error) or place == self.places[-1]:
                        raise unwritable(place, error) from error
                    continue
                yield place
                return

    def describe(self, place: Path, description: Description) -> None:
        """Put a description in the place of the last one, and remove the arrays that it named. Raises OSError."""
        last = self.find()
        write_whole(place / f"{self.reader}.json", json.dumps(asdict(description), indent=1).encode())
        if last is not None:
            before, described = last
            stale = {before / name for name in (*described.files, f"{self.reader}.json")}
            for path in stale - {place / name for name in (*description.files, f"{self.reader}.json")}:
                with suppress(OSError):  # gone, or in a data root that can't be written any more
                    path.unlink()


def unwritable(place: Path, error: OSError) -> BenchError:
    return BenchError(
        f"{place} can't be written ({error.strerror}): free some space, or give another folder with --data-root"
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


class _Writer:
    """An .npy file that is written row by row, with its SHA-256."""

    def __init__(self, file: BinaryIO, form: ArrayForm) -> None:
        import numpy as np

        self.file, self.digest, (shape, self.dtype) = file, hashlib.sha256(), form
        described = {"descr": np.dtype(self.dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self, described)

    def write(self, data: Any) -> None:
        self.file.write(data)
        self.digest.update(data)

    def add(self, rows: np.ndarray) -> None:
        self.write(rows.astype(self.dtype, copy=False).tobytes())


def save(paths: Sequence[Path], forms: Sequence[ArrayForm], rows: Iterable[Sequence[np.ndarray]]) -> dict[str, str]:
    """Write arrays side by side from rows that come in pieces; the SHA-256 of the files by name. Raises OSError."""
    with ExitStack() as stack:
        files = [stack.enter_context(replaced(path)) for path in paths]
        writers = [_Writer(file, form) for file, form in zip(files, forms, strict=True)]
        for pieces in rows:
            for writer, piece in zip(writers, pieces, strict=True):
                writer.add(piece)
        return {path.name: writer.digest.hexdigest() for path, writer in zip(paths, writers, strict=True)}


def check(path: Path, sha256: str) -> None:
    """Raise DamagedArray where a file is not the one with this checksum."""
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise DamagedArray(str(error.strerror)) from error
    if digest != sha256:
        raise DamagedArray("its SHA-256 is another one")


def mapped(path: Path, form: ArrayForm) -> np.ndarray:
    """The array, read as it is used; whoever writes into it changes his own copy of the page, never the file.

    Raises DamagedArray where it is not of this form.
    """
    import numpy as np

    try:
        with regular(path):  # numpy would wait for a pipe
            found = np.load(path, mmap_mode="c", allow_pickle=False)
    except Exception as error:  # numpy has an exception each for what it can't read
        raise DamagedArray(message_of(error) or type(error).__name__) from error
    if (getattr(found, "shape", None), str(getattr(found, "dtype", ""))) != form:
        raise DamagedArray(f"it holds no {form[1]} array of the shape {form[0]}")
    array: np.ndarray = found
    return array
