"""A store is looked at, file by file: what is damaged is named, and what no run needs is freed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.identity import job_id
from benchmark.store.gc import free, unneeded
from benchmark.store.records import RecordStore
from benchmark.store.verify import verify, whole

NAMES = ("one", "two")
ONE, TWO = (job_id({"name": name, "secret": hashlib.sha256(bytes(32)).hexdigest()}) for name in NAMES)


def add(store: RecordStore, name: str) -> str:
    """A finished job with its three artefacts, whose bytes are its name and their role."""
    payload = {"name": name, "secret": hashlib.sha256(bytes(32)).hexdigest()}
    id, artefacts = job_id(payload), {}
    for role in ("service", "key", "answers"):
        path = store.artefact_path(id, role)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{name} {role} {'x' * 100}".encode())
        path.chmod(0o600)
        artefacts[role] = hashlib.sha256(path.read_bytes()).hexdigest()
    fixed: Any = {
        "schema": 1,
        "identity": 3,
        "kind": "marked",
        "status": "ok",
        "reason": None,
        "parents": [],
        "run": {},
    }
    store.write({**fixed, "id": id, "job": payload, "result": {"artefacts": artefacts}})
    return id


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    store = RecordStore(tmp_path / "store")
    with store.lock(print):
        assert [add(store, name) for name in NAMES] == [ONE, TWO]
    (store.root / "keys").chmod(0o700)
    (store.root / "keys" / "secret").write_text("00" * 32)
    (store.root / "keys" / "secret").chmod(0o600)
    (store.root / "logs").mkdir()
    (store.root / "logs" / "thief-0.log").write_text("anything")
    assert verify(store) == []
    return store


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def swap(path: Path) -> None:
    """With the other job's file of the same role."""
    other = Path(str(path).replace(ONE[:2] + "/", TWO[:2] + "/").replace(ONE, TWO))
    path.rename(path.with_name("aside"))
    other.rename(path)
    path.with_name("aside").rename(other)


def refill(path: Path) -> None:
    path.write_bytes(b"{}" * 60)


def link(path: Path) -> None:
    path.rename(path.parents[2] / "elsewhere")
    path.symlink_to(path.parents[2] / "elsewhere")


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: list[Callable[[Path], None]] = [flip, truncate, swap, refill, Path.unlink, replace_by_fifo]


@pytest.mark.parametrize("role", ["service", "key", "answers"])
@pytest.mark.parametrize("damage", [*DAMAGES, link])
def test_a_damaged_artefact_is_named_with_the_job_that_makes_it_again(
    store: RecordStore, role: str, damage: Callable[[Path], None]
) -> None:
    path = store.artefact_path(ONE, role)
    damage(path)
    damaged = {finding.job for finding in verify(store) if finding.kind == "damaged"}
    assert damaged == ({ONE, TWO} if damage is swap else {ONE})
    for id in (ONE, TWO):
        record = store.read(id)
        assert record is not None
        assert whole(store, record) is (id not in damaged)


@pytest.mark.parametrize("damage", [flip, truncate, swap, refill, replace_by_fifo])
def test_a_damaged_record_is_named_and_left_where_it_is(store: RecordStore, damage: Callable[[Path], None]) -> None:
    path = store.record_path(ONE)
    damage(path)
    findings = {finding.name: finding for finding in verify(store)}
    finding = findings[f"records/{ONE[:2]}/{ONE}.json"]
    assert (finding.kind, finding.job) == ("damaged", ONE)
    assert path.exists()
    assert store.damaged == []


def test_a_lost_record_leaves_artefacts_that_nobody_needs(store: RecordStore) -> None:
    store.record_path(ONE).unlink()
    assert {(finding.kind, finding.what) for finding in verify(store)} == {("leftover", "no record names it")}
    assert len(verify(store)) == 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"work/{ONE}/service.safetensors", "leftover"),
        (f"records/{ONE[:2]}/.{ONE}.json.4711.tmp", "leftover"),
        (f"artefacts/{ONE[:2]}/.{ONE}.service.safetensors.4711.tmp", "leftover"),
        (f"records/{ONE[:2]}/{ONE}.json.damaged", "leftover"),
        (f"keys/{ONE[:2]}/{ONE}.other.safetensors", "leftover"),
        (f"records/{ONE[:2]}/notes.txt", "foreign"),
        (f"records/00/{ONE}.json", "foreign"),
        ("records/.DS_Store", "foreign"),
        ("thoughts", "foreign"),
        ("models/net.pt", "foreign"),
    ],
)
def test_what_is_no_part_of_it_is_found(store: RecordStore, name: str, kind: str) -> None:
    path = store.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    path.chmod(0o600)
    assert [(finding.name, finding.kind) for finding in verify(store)] == [(name, kind)]


def test_a_key_that_others_may_read_is_named(store: RecordStore) -> None:
    (store.root / "keys").chmod(0o755)
    (store.root / "keys" / "secret").chmod(0o640)
    store.artefact_path(ONE, "key").chmod(0o604)
    exposed = {finding.name for finding in verify(store) if finding.kind == "exposed"}
    assert exposed == {"keys", "keys/secret", f"keys/{ONE[:2]}/{ONE}.key.safetensors"}


@pytest.mark.parametrize(("text", "sentence"), [("00" * 31, "it is no secret"), ("01" * 32, "no record was made with")])
def test_a_secret_that_is_not_the_one_of_the_records_is_named(store: RecordStore, text: str, sentence: str) -> None:
    (store.root / "keys" / "secret").write_text(text)
    (finding,) = verify(store)
    assert (finding.kind, finding.name, sentence in finding.what) == ("damaged", "keys/secret", True)


def test_keys_of_older_records_are_looked_for_among_the_models(store: RecordStore) -> None:
    record: Any = store.read(ONE)
    del record["checksum"]
    record["identity"] = 2
    store.record_path(ONE).write_text(json.dumps(record))
    for role in ("key", "answers"):
        path = store.artefact_path(ONE, role)
        path.rename(store.root / "artefacts" / ONE[:2] / path.name)
    assert verify(store) == []


def test_what_no_job_needs_is_freed_and_nothing_else(store: RecordStore) -> None:
    before = {path for path in store.root.rglob("*") if path.is_file() and TWO not in path.name}
    for name in (
        f"work/{ONE}/key.safetensors",
        f"records/{ONE[:2]}/.{ONE}.json.1.tmp",
        f"keys/{ONE[:2]}/{ONE}.json.damaged",
    ):
        (store.root / name).parent.mkdir(parents=True, exist_ok=True)
        (store.root / name).write_text("left over")
    files = unneeded(store, {ONE})
    assert len(files) == 7  # three leftovers, a record and its three artefacts
    free(files)
    assert {path for path in store.root.rglob("*") if path.is_file()} == before
    assert unneeded(store, {ONE}) == []
    assert verify(store) == []
