"""The store of records: one immutable JSON file per finished job, and the lock that gives a run the store.

    root/records/<id[:2]>/<id>.json                       what a job found
    root/artefacts/<id[:2]>/<id>.service.safetensors      the model it left
    root/keys/<id[:2]>/<id>.<role>.safetensors            key and answers, its keyholders' alone: modes 0700 and 0600
    root/work/<id>.<role>.safetensors                     what the first step of a job hands to the second
    root/lock                                             held while a run writes

A record appears whole or not at all.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, get_args

from benchmark import atomic
from benchmark.description import read
from benchmark.errors import BenchError

Status = Literal["ok", "not-applicable", "crashed", "timeout", "oom", "killed"]
STATUSES = frozenset(get_args(Status))
FINAL = frozenset({"ok", "not-applicable", "crashed"})  # the others are tried again by the next run
SECRET = frozenset({"key", "answers"})  # artefacts of keyholders alone


class Record(TypedDict):
    """What one job found, as its file holds it.

    identity: the number of the rule by which `job` names code; absent where it is 1. id: SHA-256 of `job`, the payload,
    64 hexadecimal digits. reason: a sentence, unless the status is ok. parents: ids of the jobs whose artefacts it
    read. result: what its kind of job found. run: when and on what machine it ran, in seconds and MB, which decides
    nothing.
    """

    schema: Literal[1]
    identity: NotRequired[int]
    id: str
    kind: str
    status: Status
    reason: str | None
    job: dict[str, Any]
    parents: list[str]
    result: dict[str, Any]
    run: dict[str, Any]


class RecordStore:
    """Records by job id, under one folder. Reading needs no lock; a run that writes holds `lock()`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.damaged: list[tuple[Path, str]] = []  # where each unusable record was put, and what was wrong

    def record_path(self, id: str) -> Path:
        return self.root / "records" / id[:2] / f"{id}.json"

    def artefact_path(self, id: str, role: str) -> Path:
        folder = "keys" if role in SECRET else "artefacts"
        return self.root / folder / id[:2] / f"{id}.{role}.safetensors"

    def work_path(self, id: str, role: str) -> Path:
        """Where the party that makes an artefact leaves it, until the court puts it in its place."""
        return self.root / "work" / f"{id}.{role}.safetensors"

    def read(self, id: str) -> Record | None:
        """The record of a job, or None where there is none.

        A file that is not this job's record is renamed to `<name>.damaged`, noted in `damaged`, and counts as
        missing. Raises BenchError where the folder can't be read.
        """
        path = self.record_path(id)
        with self._explained():
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
            record, fault = _parse(data, id)
            if fault:
                aside = path.with_name(f"{path.name}.damaged")
                os.replace(path, aside)
                self.damaged.append((aside, fault))
            return record

    def status(self, id: str) -> Status | None:
        """How a job ended, or None where it has no record."""
        record = self.read(id)
        return record and record["status"]

    def finished(self, id: str) -> bool:
        """Whether a job has a record that is final, so that no run has to repeat it."""
        return self.status(id) in FINAL

    def write(self, record: Record) -> None:
        """Put a record in its place, at once and for good.

        Raises BenchError where the folder can't be written or the disk is full (what was there before stays),
        ValueError or TypeError for a record that would be damaged when read: NaN, not JSON, wrong schema.
        """
        data = json.dumps(record, indent=1, sort_keys=True, allow_nan=False).encode()
        _, fault = _parse(data, record["id"])
        if fault:
            raise ValueError(f"not a record: {fault}")
        path = self.record_path(record["id"])
        with self._explained():
            atomic.write(path, data)

    def discard(self, id: str) -> None:
        """Forget a job's record, so that the next run makes it again."""
        with self._explained():
            self.record_path(id).unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store for one run. Raises BenchError naming the process that holds it already.

        The kernel frees the lock when its holder dies, however it dies.
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
                    raise BenchError(
                        f"The store {self.root} is in use by another run (process {holder or 'unknown'}): "
                        "wait until it ends, or choose another store."
                    ) from None
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
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


def _parse(data: bytes, id: str) -> tuple[Record | None, str]:
    """The record in `data`, or what is wrong with it."""
    try:
        record = read(Record, json.loads(data))
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested without end
        return None, "it is not a whole JSON object"
    except BenchError as error:
        return None, str(error)
    return (record, "") if record["id"] == id else (None, "it belongs to another job")
