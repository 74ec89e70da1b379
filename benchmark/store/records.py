"""The store of records: one immutable JSON file per finished job, and the lock that gives a run the store.

    root/records/<id[:2]>/<id>.json                       what a job found
    root/artefacts/<id[:2]>/<id>.<role>.safetensors       the models it left
    root/keys/<id[:2]>/<id>.<role>.safetensors            keys and answers, for owners and courts alone
    root/work/<id>/<role>.safetensors                     what one step of a job leaves to the next
    root/logs/                                            what the workers print
    root/lock                                             held while a run writes

A record appears whole or not at all, and carries a checksum over everything in it. Its file is one line of canonical
JSON, as in records.jsonl: the checksum comes first, and what follows it is the text that was summed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, get_args

from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.files import MOST_BYTES, content, json_value, write_whole

Status = Literal["ok", "not-applicable", "crashed", "timeout", "oom", "killed"]
STATUSES = frozenset(get_args(Status))
FINAL = frozenset({"ok", "not-applicable", "crashed"})  # the others are tried again by the next run
UNSEALED = 2  # the last rule of naming whose records carry no checksum
_dumps = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_SEAL = b'{"checksum":"%s",'  # how a file begins whose checksum is of the rest of its text, with { before it
_SEALED = len(_SEAL % bytes(64))
SECRET_ROLES = frozenset({"key", "answers"})  # artefacts that no thief may open


class Record(TypedDict):
    """What one job found, as its file holds it.

    identity: the number of the rule by which `job` names code; absent where it is 1. checksum: SHA-256 of all the rest
    as canonical JSON; absent up to identity 2. id: SHA-256 of `job`, the payload, 64 hexadecimal digits. reason: a
    sentence, unless the status is ok. parents: ids of the jobs whose artefacts it read; given: SHA-256 of what these
    artefacts were, as `fingerprint` makes it. result: what its kind of job found. run: when and on what machine it
    ran, in seconds and MB, which decides nothing.
    """

    schema: Literal[1]
    identity: NotRequired[int]
    checksum: NotRequired[str]
    id: str
    kind: str
    status: Status
    reason: str | None
    job: dict[str, Any]
    parents: list[str]
    given: NotRequired[str]
    result: dict[str, Any]
    run: dict[str, Any]


def fingerprint(value: object) -> str:
    """SHA-256 of what JSON holds, 64 hexadecimal digits. Raises ValueError for NaN and infinities.

    The text that is hashed is that of `identity.canonical`, which takes five times as long to be strict about types.
    """
    return hashlib.sha256(_dumps(value).encode()).hexdigest()


def fault(record: Record, written: bytes) -> str:
    """What is wrong with a record of the right form, as a sentence; "" where nothing is. written: its file or line."""
    if "checksum" in record:
        if not _is_sealed(written, record["checksum"]) and record["checksum"] != _checksum(record):
            return "its content does not fit its checksum"
    elif record.get("identity", 1) > UNSEALED:
        return "its checksum is missing"
    return "" if fingerprint(record["job"]) == record["id"] else "its id is not that of the job in it"


def with_checksum(record: Record) -> Record:
    """The record with the checksum of what it holds. Raises ValueError for NaN and infinities."""
    return {**record, "checksum": _checksum(record)}


def sealed(record: Record) -> bytes:
    """The file of a record, with the checksum of what it holds. Raises ValueError for NaN and infinities."""
    text = _dumps({name: value for name, value in record.items() if name != "checksum"}).encode()
    return _SEAL % hashlib.sha256(text).hexdigest().encode() + text[1:]


def _is_sealed(written: bytes, checksum: str) -> bool:
    """Whether a file is as `sealed` makes it. Where it is not, the values in it count, however they are written."""
    rest = written[_SEALED:].removesuffix(b"\n")  # of a line
    return written[:_SEALED] == _SEAL % checksum.encode() and hashlib.sha256(b"{" + rest).hexdigest() == checksum


def _checksum(record: Record) -> str:
    return fingerprint({name: value for name, value in record.items() if name != "checksum"})


class RecordStore:
    """Records by job id, under one folder. Reading needs no lock; a run that writes holds `lock()`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.damaged: list[tuple[Path, str]] = []  # where each unusable record was put, and what was wrong

    def record_path(self, id: str) -> Path:
        return self.root / f"records/{id[:2]}/{id}.json"

    def artefact_path(self, id: str, role: str) -> Path:
        folder = "keys" if role in SECRET_ROLES else "artefacts"
        return self.root / folder / id[:2] / f"{id}.{role}.safetensors"

    def work_path(self, id: str, role: str) -> Path:
        """Where the party that makes an artefact leaves it, until the court puts it in its place."""
        return self.root / "work" / id / f"{role}.safetensors"

    def artefacts(self, record: Record) -> dict[Path, str]:
        """The files that a record says its job left, with their SHA-256."""
        kept: Mapping[str, str] = record["result"].get("artefacts", {})
        if "checksum" not in record:  # before there were checksums, keys lay among the models
            return {
                self.root / "artefacts" / path.parent.name / path.name: one
                for path, one in ((self.artefact_path(record["id"], role), one) for role, one in kept.items())
            }
        return {self.artefact_path(record["id"], role): one for role, one in kept.items()}

    def read(self, id: str) -> Record | None:
        """The record of a job, or None where there is none.

        A file that is not this job's record is renamed to `<name>.damaged` where the folder can be written, noted in
        `damaged`, and counts as missing. Raises BenchError where the folder can't be read.
        """
        path = self.record_path(id)
        with self._explained():
            try:
                record, wrong = examine(path, id)
            except FileNotFoundError:
                return None
            if wrong:
                aside = path.with_name(f"{path.name}.damaged")
                with suppress(OSError):  # a store that can only be read
                    path = path.replace(aside)
                self.damaged.append((path, wrong))
            return record

    def readable(self) -> Iterator[Record]:
        """Every whole record, in no order; files that are none are passed over, and stay where they are."""
        for path in (self.root / "records").glob("*/*.json"):
            with suppress(OSError):
                record, _ = examine(path, path.stem)
                if record is not None:
                    yield record

    def status(self, id: str) -> Status | None:
        """How a job ended, or None where it has no record."""
        record = self.read(id)
        return record and record["status"]

    def finished(self, id: str) -> bool:
        """Whether a job has a record that is final, so that no run has to repeat it."""
        return self.status(id) in FINAL

    def write(self, record: Record) -> None:
        """Put a record in its place, with its checksum, at once: the one that was there before stays until then.

        Raises BenchError where the folder can't be written or the disk is full, ValueError or TypeError for a record
        that would be damaged when read: not JSON, what `benchmark.files` refuses, wrong schema, or another job's id.
        """
        data = sealed(record)
        if len(data) > MOST_BYTES:
            raise ValueError(f"not a record: it is larger than {MOST_BYTES >> 20} MiB")
        _, wrong = _parse(data, record["id"])
        if wrong:
            raise ValueError(f"not a record: {wrong}")
        with self._explained():
            write_whole(self.record_path(record["id"]), data)

    def settle(self, id: str, role: str, data: bytes, digest: str) -> bool:
        """Put an artefact that came from elsewhere in its place; False where it has not this SHA-256.

        Raises BenchError where the folder can't be written or the disk is full.
        """
        if hashlib.sha256(data).hexdigest() != digest:
            return False
        with self._explained():
            write_whole(self.artefact_path(id, role), data, secret=role in SECRET_ROLES)
        return True

    @contextmanager
    def lock(self, say: Callable[[str], object]) -> Iterator[None]:
        """Hold the store for one run; where another one holds it, `say` so once and wait until it ends.

        The kernel frees the lock when its holder dies, however it dies. Raises BenchError.
        """
        with self._explained():
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with self._explained():
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    holder = os.read(descriptor, 32).decode(errors="replace").strip()
                    say(
                        f"The store {self.root} is in use by another run (process {holder or 'unknown'}): waiting "
                        "until it ends, and going on with what it has finished. Ctrl-C leaves."
                    )
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)  # frees the lock; the file stays, since removing it would race

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise BenchError(
                    f"The disk that holds the store {self.root} is full: everything finished so far is kept, "
                    "so free some space and run the same command again."
                ) from error
            raise BenchError(
                f"The store {self.root} can't be used ({error.strerror}: {error.filename or self.root}): "
                "choose another folder or mend this one."
            ) from error


def examine(path: Path, id: str) -> tuple[Record | None, str]:
    """The record of a job in its file, or what is wrong with the file. Raises OSError."""
    if not stat.S_ISREG(path.stat().st_mode):  # reading a FIFO would never end
        return None, "it is no file"
    try:
        return _parse(content(path), id)
    except ValueError as error:  # larger than any record
        return None, str(error)


def _parse(data: bytes, id: str) -> tuple[Record | None, str]:
    """The record in `data`, or what is wrong with it."""
    try:
        record = read(Record, json_value(data))
    except json.JSONDecodeError:
        return None, "it is not a whole JSON object"
    except (ValueError, BenchError) as error:
        return None, str(error)
    wrong = "it belongs to another job" if record["id"] != id else fault(record, data)
    return (None, wrong) if wrong else (record, "")
