from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError
from benchmark.store.records import RecordStore

ID = hashlib.sha256(b"one").hexdigest()
OTHER = hashlib.sha256(b"two").hexdigest()
HOLDER = """
import sys, time
from pathlib import Path
from benchmark.store.records import RecordStore
with RecordStore(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(600)
"""


def record(id: str = ID, status: str = "ok", **more: Any) -> dict[str, Any]:
    fixed = {"schema": 1, "kind": "host", "reason": None, "job": {}, "parents": [], "result": {"n": 0.1}, "run": {}}
    return {**fixed, "id": id, "status": status, **more}


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path / "store")


def test_a_record_comes_back_as_it_was_written(store: RecordStore) -> None:
    assert store.read(ID) is None
    store.write(record())
    assert store.read(ID) == record()
    assert store.record_path(ID) == store.root / "records" / ID[:2] / f"{ID}.json"
    assert [path.name for path in store.record_path(ID).parent.iterdir()] == [f"{ID}.json"]
    assert store.artefact_path(ID, "net") == store.root / "artefacts" / ID[:2] / f"{ID}.net.safetensors"


@pytest.mark.parametrize(
    ("status", "final"),
    [
        ("ok", True),
        ("not-applicable", True),
        ("crashed", True),
        ("timeout", False),
        ("oom", False),
        ("killed", False),
    ],
)
def test_what_may_end_differently_next_time_is_not_finished(store: RecordStore, status: str, final: bool) -> None:
    store.write(record(status=status))
    assert store.finished(ID) is final
    assert store.finished(OTHER) is False


def test_a_discarded_record_is_forgotten(store: RecordStore) -> None:
    store.write(record())
    store.discard(ID)
    store.discard(ID)
    assert store.read(ID) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps(record())[:-9], "not a whole JSON object"),
        ("", "not a whole JSON object"),
        ("[" * 100_000, "not a whole JSON object"),
        ("\udcff", "not a whole JSON object"),
        ("[1]", "must be a table, not [1]"),
        (json.dumps(record(id=OTHER)), "another job"),
        (json.dumps({**record(), "resuls": {}}), "unknown key 'resuls': did you mean result?"),
        (json.dumps(record(parents="one")), "parents must be a list, not 'one'"),
        (json.dumps(record(parents=[1])), "parents number 0 must be a text, not 1"),
        (json.dumps(record(schema=2)), "schema must be 1, not 2"),
        (
            json.dumps(record(status="fine")),
            "status must be one of ok, not-applicable, crashed, timeout, oom, killed, not 'fine'",
        ),
    ],
)
def test_a_damaged_record_is_set_aside_and_missing(store: RecordStore, text: str, reason: str) -> None:
    path = store.record_path(ID)
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert not store.finished(ID)
    aside = path.with_name(f"{ID}.json.damaged")
    assert [name for name, _ in store.damaged] == [aside]
    assert reason in store.damaged[0][1]
    assert aside.exists()
    assert not path.exists()
    store.write(record())
    assert store.read(ID) == record()
    assert len(store.damaged) == 1


@pytest.mark.parametrize(
    "bad", [record(loss=float("nan")), record(model=object()), record(schema=2), record(status="fine")]
)
def test_no_record_is_written_that_could_not_be_read(store: RecordStore, bad: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        store.write(bad)
    assert store.read(ID) is None


def test_a_full_disk_keeps_what_is_finished(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(record())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BenchError, match=r"full: everything finished so far is kept, so free some space"):
        store.write(record(status="crashed"))
    assert store.read(ID) == record()
    assert [path.name for path in store.record_path(ID).parent.iterdir()] == [f"{ID}.json"]


def test_a_write_that_is_cut_short_leaves_the_old_record(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(record())

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(record(status="crashed"))
    assert store.read(ID) == record()


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file where a folder should be")
    store = RecordStore(tmp_path)
    for use in (lambda: store.write(record()), lambda: store.read(ID), lambda: store.discard(ID)):
        with pytest.raises(BenchError, match=re.escape(f"The store {tmp_path} can't be used")):
            use()
    with pytest.raises(BenchError, match="can't be used"), RecordStore(tmp_path / "records").lock():
        pass


def test_one_run_at_a_time_and_a_killed_one_leaves_no_lock(store: RecordStore) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, store.root], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BenchError, match=rf"another run \(process {holder.pid}\)"), store.lock():
            pass
        assert store.read(ID) is None  # readers take no lock
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with store.lock(), pytest.raises(BenchError, match=str(os.getpid())), RecordStore(store.root).lock():
        pass
    with store.lock():
        store.write(record())
