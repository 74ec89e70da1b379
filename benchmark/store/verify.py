"""Whether a store holds what its records say. Every file is looked at, and none is changed."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.files import regular, sha256_of
from benchmark.store.files import StoreFile, store_files
from benchmark.store.records import Record, RecordStore, examine

LEFTOVER = {
    "work": "it is what a job left that was stopped",
    "temporary": "it is what a process left that was stopped",
    "set aside": "it was set aside as damaged",
}


@dataclass(frozen=True)
class StoreFault:
    """One file that is not as it should be.

    kind: damaged, what a job made is lost; exposed, others may read a secret; foreign, no file of the store's;
    leftover, nobody needs it. name: its path below the store. job: the id of the job that makes it again.
    """

    kind: Literal["damaged", "exposed", "foreign", "leftover"]
    name: str
    what: str
    job: str | None = None


def whole(store: RecordStore, record: Record) -> bool:
    """Whether every artefact that a record names is what was written."""
    return all(not _fault(path, checksum) for path, checksum in store.artefacts(record).items())


def verify(store: RecordStore) -> list[StoreFault]:
    """Everything in a store that is not as it should be; none where it is whole. Raises OSError."""
    found = list(store_files(store.root))
    findings: list[StoreFault] = []
    named: dict[Path, tuple[str, str]] = {}  # artefacts: the job, and the SHA-256 in its record
    secrets: set[str] = set()  # hashes of those by which the records' streams were drawn
    for one in found:
        if one.kind == "record" and one.job is not None:
            record, wrong = examine(one.path, one.job) if one.path.exists() else (None, "it is a link to nowhere")
            if record is None:
                findings.append(StoreFault("damaged", one.name, wrong, one.job))
                continue
            named |= {path: (one.job, checksum) for path, checksum in store.artefacts(record).items()}
            secrets |= {str(record["job"]["secret"])} if "secret" in record["job"] else set()
    for path, (job, checksum) in named.items():
        if wrong := _fault(path, checksum):
            findings.append(StoreFault("damaged", path.relative_to(store.root).as_posix(), wrong, job))
    for one in found:
        findings += _of_its_kind(one, named, secrets)
    if (store.root / "keys").is_dir() and (store.root / "keys").stat().st_mode & 0o077:
        findings.append(StoreFault("exposed", "keys", "others may look into it: chmod 700"))
    return sorted(findings, key=lambda finding: finding.name)


def _of_its_kind(one: StoreFile, named: dict[Path, tuple[str, str]], secrets: set[str]) -> Iterator[StoreFault]:
    """What is wrong with a file beside the content of records and artefacts."""
    if one.kind == "foreign":
        yield StoreFault("foreign", one.name, "it is none of the store's files: look what it is, and remove it")
    elif one.kind in LEFTOVER:
        yield StoreFault("leftover", one.name, LEFTOVER[one.kind])
    elif one.kind in ("artefact", "key") and one.path not in named:
        yield StoreFault("leftover", one.name, "no record names it")
    elif one.kind == "secret" and (wrong := _secret_fault(one.path, secrets)):
        yield StoreFault("damaged", one.name, wrong)
    if one.kind in ("key", "secret") and one.path.lstat().st_mode & 0o077:
        yield StoreFault("exposed", one.name, "others may read it: chmod 600")


def _fault(path: Path, checksum: str) -> str:
    """What is wrong with an artefact; "" where its bytes have this SHA-256."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return "it is no file"
        same = sha256_of(path, follow=False) == checksum
    except OSError as error:
        return "it is missing" if isinstance(error, FileNotFoundError) else f"it can't be read ({error.strerror})"
    return "" if same else "its SHA-256 is not the one in its record"


def _secret_fault(path: Path, secrets: set[str]) -> str:
    """What is wrong with the store's secret, given the hashes of the secrets that its records were drawn by."""
    text = b""
    with suppress(OSError), regular(path, follow=False) as file:
        text = file.read(1000)
    if not re.fullmatch(rb"[0-9a-f]{64}\n?", text):
        return "it is no secret of 64 hexadecimal digits: restore it, or all keys are made anew under other names"
    if secrets and hashlib.sha256(bytes.fromhex(text.decode())).hexdigest() not in secrets:
        return "no record was made with this secret: restore the old one, or all keys are made anew under other names"
    return ""
