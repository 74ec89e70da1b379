"""Files, read within limits whoever wrote them (JSON, TOML, CSV, gzip, headers of tensors), and written whole or not.

Only regular files are opened, no more is read or decompressed than a file of its kind may hold, and what comes out is
plain: finite numbers of ordinary size, whole characters, no name twice in a table, no nesting without end. SECURITY.md
lists the limits. What a value means is for `benchmark.description` to check.
"""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import json
import math
import os
import re
import stat
import tomllib
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from benchmark.errors import BenchError

MOST_BYTES = 64 << 20  # of a JSON document, a table, or one line of records, decompressed
MOST_DESCRIBED = 256 << 20  # of a run's description, which names every cell and every job, or of its matrix.csv
MOST_TOML = 256 << 10
MOST_DOTS = 100  # in a line of TOML: tomllib takes quadratic time for a key of many parts
MOST_RECORDS = 1 << 30  # of all lines of records together, decompressed
MOST_TENSORS = 2 << 30  # of a model's or a key's file
MOST_SOURCE = 1 << 20  # of a Python file that is read and not run
MOST_LINE = 1 << 20  # of a table
MOST_ROWS = 400_000  # of a table: twice as many as a run's description names cells
_LETTERS = 16  # of a JSON document for each value that it may hold
DEEPEST = 32
LARGEST_NUMBER = 2**63  # whole numbers lie below it, on both sides of zero
_PLAIN = frozenset({dict, list, str, int, float, bool, type(None)})
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # how JSON writes half a character
_PIECE = 16 << 20
_TOO_DEEP = f"it is nested more than {DEEPEST} deep"


def regular(path: Path, *, follow: bool = True) -> BufferedReader:
    """A regular file, open to read. Raises OSError, also where there is a folder, a pipe, a socket or a device.

    follow: whether a link to one will do.
    """
    how = os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)  # a pipe would wait for its writer
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | how))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "It is no regular file", str(path))
    return file


@contextmanager
def _unpacked(path: Path, *, follow: bool = True) -> Iterator[BinaryIO]:
    """A regular file, decompressed where its name ends in .gz. Raises OSError; ValueError where gzip never wrote it."""
    with regular(path, follow=follow) as file:
        if path.suffix != ".gz":
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc]  # it reads like any binary file
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"its compressed content is damaged: {error}") from error


def content(path: Path, most: int = MOST_BYTES, *, follow: bool = True) -> bytes:
    """The bytes of a file, decompressed where its name ends in .gz. Raises OSError; ValueError above `most` bytes.

    follow: see `regular`.
    """
    pieces, left = list[bytes](), most
    with _unpacked(path, follow=follow) as file:
        if os.fstat(file.fileno()).st_size > most:  # without reading any of it
            raise _too_large(most)
        while piece := file.read(_PIECE):  # asked for all at once, memory for `most` bytes would be set aside
            pieces.append(piece)
            if (left := left - len(piece)) < 0:  # decompressed, or it grew meanwhile
                raise _too_large(most)
    return b"".join(pieces)


def sha256_of(path: Path, *, follow: bool = True) -> str:
    """SHA-256 over the bytes of a regular file, 64 digits. Raises OSError. follow: see `regular`."""
    with regular(path, follow=follow) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lines(path: Path, most: int = MOST_RECORDS, longest: int = MOST_BYTES) -> Iterator[bytes]:
    """The lines of a file, decompressed where its name ends in .gz, without reading it whole. Raises as `content`.

    most: bytes of all lines together; longest: of one.
    """
    left = most
    with _unpacked(path) as file:
        while line := file.readline(longest + 1):
            if len(line) > longest:
                raise ValueError(f"a line is larger than {longest >> 10} KiB")
            if (left := left - len(line)) < 0:
                raise _too_large(most)
            yield line


def table_rows(path: Path, needed: Collection[str], most: int = MOST_BYTES) -> Iterator[dict[str, str]]:
    """The rows of a CSV file by the names in its first line, one at a time; a row is one line. Raises as `content`.

    needed: names that must be among those. most: bytes. Raises ValueError for a row of more or fewer fields.
    """
    head: list[str] = []
    for number, line in enumerate(lines(path, most, MOST_LINE), 1):
        try:
            # each line by itself: a quote that nobody closes would draw in the rest of the file
            fields = next(csv.reader([line.decode()], strict=True), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"line {number} is no line of a table: {error}") from None
        if number > MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS:,} lines")
        if not head:
            head = fields
            if missing := [name for name in needed if name not in head]:
                raise ValueError(f"it has no column {missing[0]}")
        elif fields:
            if len(fields) != len(head):
                raise ValueError(f"line {number} has {len(fields)} fields, and its first line {len(head)}")
            yield dict(zip(head, fields, strict=True))


def json_value(data: bytes, most: int = MOST_BYTES) -> Any:
    """What a JSON document holds. Raises ValueError with a sentence, also for what JSON allows and no file needs.

    most: how many bytes such a document may have, which bounds the number of its values, too.
    """
    if sum(map(data.count, (b",", b"[", b"{"))) > most // _LETTERS:
        raise ValueError(f"it holds more than {most // _LETTERS} values")
    try:
        value = _DECODER.decode(data.decode("utf-8-sig"))
        if _HALF.search(data):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a character, a lone surrogate") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return plain(value)


def toml_table(data: bytes) -> dict[str, Any]:
    """What a TOML document holds. Raises ValueError with a sentence."""
    if any(line.count(b".") > MOST_DOTS for line in data.splitlines()):
        raise ValueError(f"a line has more than {MOST_DOTS} dots")
    try:
        table: dict[str, Any] = plain(tomllib.loads(data.decode()))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return table


def plain(value: Any) -> Any:
    """`value`, if it is made of tables, lists, texts, truths and ordinary numbers. Raises ValueError."""
    level = [value]
    for _ in range(DEEPEST + 1):
        kinds = set(map(type, level))  # a level at a time, since a record has values by the thousand
        if strange := kinds - _PLAIN:
            raise ValueError(f"it holds a {strange.pop().__name__}, where texts and numbers belong")
        if int in kinds:
            whole = [one for one in level if type(one) is int]
            if not (min(whole) > -LARGEST_NUMBER and max(whole) < LARGEST_NUMBER):
                raise ValueError("it holds a whole number of more than 64 bits")
        if float in kinds and not all(map(math.isfinite, (one for one in level if type(one) is float))):
            raise ValueError("it holds a number that is not finite")
        groups = [one.values() if type(one) is dict else one for one in level if type(one) in (dict, list)]
        level = list(chain.from_iterable(groups))
        if not level:
            return value
    raise ValueError(_TOO_DEEP)


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("it names something twice in one table")
    return table


_DECODER = json.JSONDecoder(object_pairs_hook=_table)


def tensor_header(data: bytes) -> dict[str, Any]:
    """The header of a safetensors file: an entry for each tensor, and `__metadata__`. Raises ValueError.

    Whether offsets and sizes fit is checked by safetensors itself, before it makes any tensor.
    """
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= len(data) - 8:
        raise ValueError("it does not begin with the header of a safetensors file")
    header = json_value(data[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    return header


def read_json(path: Path, mend: str, most: int = MOST_BYTES) -> Any:
    """The content of a JSON file, compressed where its name ends in .gz. Raises BenchError, which ends in `mend`.

    most: see `json_value`.
    """
    with _explained(path, "JSON", mend):
        return json_value(content(path, most), most)


def read_toml(path: Path, name: str, mend: str) -> tuple[dict[str, Any], bytes]:
    """The table in a TOML file and its bytes; a person calls it `name`. Raises BenchError, which ends in `mend`."""
    with _explained(name, "TOML", mend):
        data = content(path, MOST_TOML)
        return toml_table(data), data


@contextmanager
def _explained(name: object, form: str, mend: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BenchError(f"{name} can't be read ({error.strerror or error}): {mend}") from error
    except ValueError as error:
        raise BenchError(f"{name} is not valid {form} ({error}): {mend}") from error


def _too_large(most: int) -> ValueError:
    return ValueError(f"it is larger than {most >> 10} KiB")


@contextmanager
def replaced(path: Path, *, secret: bool = False, lasting: bool = True) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of `path` at the end; after an exception `path` is as it was.

    It is written under a temporary name, flushed to the disk, then renamed. Folders are made. secret: nobody else can
    read the file, not for a moment. lasting: it is to outlive a crash of the machine, which takes a wait for the disk.
    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb", opener=partial(os.open, mode=0o600 if secret else 0o666)) as file:
            yield file
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes, *, secret: bool = False, lasting: bool = True) -> None:
    """Put `data` in the place of `path`; see `replaced`. Raises OSError."""
    with replaced(path, secret=secret, lasting=lasting) as file:
        file.write(data)


def user_cache() -> Path:
    """The user's cache folder, by the XDG base directory specification."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path(os.path.expanduser("~/.cache"))) / "watermark-bench"
