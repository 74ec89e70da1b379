from __future__ import annotations

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError
from benchmark.identity import job_id
from benchmark.store.records import RecordStore, with_checksum

ID, OTHER = job_id({"name": "one"}), job_id({"name": "two"})
DEEP = json.loads("[" * 40 + "]" * 40)
HOLDER = """
import sys, time
from pathlib import Path
from benchmark.store.records import RecordStore
with RecordStore(Path(sys.argv[1])).lock(print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def record(id: str = ID, status: str = "ok", **more: Any) -> dict[str, Any]:
    """A record as version 0.2.0 wrote it: without a checksum."""
    fixed = {"schema": 1, "kind": "host", "reason": None, "parents": [], "result": {"n": 0.1}, "run": {}}
    job = {"name": "one" if id == ID else "two"}
    return {**fixed, "id": id, "job": job, "status": status, **more}


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path / "store")


def test_a_record_comes_back_as_it_was_written(store: RecordStore) -> None:
    assert store.read(ID) is None
    store.write(record())
    assert store.read(ID) == with_checksum(record())
    assert store.record_path(ID) == store.root / "records" / ID[:2] / f"{ID}.json"
    assert [path.name for path in store.record_path(ID).parent.iterdir()] == [f"{ID}.json"]
    assert store.artefact_path(ID, "service") == store.root / "artefacts" / ID[:2] / f"{ID}.service.safetensors"
    for role in ("key", "answers"):
        assert store.artefact_path(ID, role) == store.root / "keys" / ID[:2] / f"{ID}.{role}.safetensors"


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


def test_a_record_of_an_older_version_needs_no_checksum_and_a_new_one_does(store: RecordStore) -> None:
    path = store.record_path(ID)
    path.parent.mkdir(parents=True)
    for old in (record(), record(identity=2)):
        path.write_text(json.dumps(old))
        assert store.read(ID) == old
    path.write_text(json.dumps(record(identity=3)))
    assert store.read(ID) is None
    assert store.damaged[0][1] == "its checksum is missing"


def test_every_flipped_bit_is_found_or_changes_nothing(store: RecordStore) -> None:
    """Numbers, texts in several scripts, names of fields, the checksum itself: all of the file, bit by bit."""
    seen = {"hits": "01" * 40, "scores": [0.1, -3e-05, 12], "note": "größer × Ω", "none": None, "whole": True}
    store.write(record(identity=3, result=seen, reason="it's ÿ", status="crashed", given="ab" * 32))
    path, whole = store.record_path(ID), store.read(ID)
    data = path.read_bytes()
    flips = [(byte, bit) for byte in range(len(data)) for bit in range(8)]
    harmless = 0
    for byte, bit in random.Random(3).sample(flips, 4000):
        flipped = bytearray(data)
        flipped[byte] ^= 1 << bit
        path.write_bytes(flipped)
        found = store.read(ID)
        assert found is None or found == whole, (byte, bit, flipped[byte - 20 : byte + 20])
        harmless += found is not None
    assert harmless < 40  # 1e-05 and 1E-05 are one number, \u00f6 and \u00F6 one letter
    assert len(store.damaged) == 4000 - harmless


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps(record())[:-9], "not a whole JSON object"),
        ("", "not a whole JSON object"),
        ("[" * 100_000, "nested more than 32 deep"),
        ("\udcff", "it is not UTF-8"),
        ("[1]", "must be a table, not [1]"),
        (json.dumps(record(id=OTHER)), "another job"),
        (json.dumps(record(job={"name": "two"})), "its id is not that of the job in it"),
        (json.dumps({**record(), "checksum": "ab" * 32}), "its content does not fit its checksum"),
        (json.dumps(with_checksum(record())).replace("0.1", "1e999"), "a number that is not finite"),
        (json.dumps(with_checksum(record(reason="\ud800"))), "half a character"),
        (json.dumps(with_checksum(record(result={"n": 2**70}))), "more than 64 bits"),
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
    assert store.finished(ID)
    assert len(store.damaged) == 1


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_record(store: RecordStore, make: Callable[[Path], None]) -> None:
    path = store.record_path(ID)
    path.parent.mkdir(parents=True)
    make(path)
    assert store.read(ID) is None
    assert store.damaged == [(path.with_name(f"{ID}.json.damaged"), "it is no file")]


def test_a_damaged_record_in_a_folder_that_can_only_be_read_is_named(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(record())
    path = store.record_path(ID)
    path.write_text("{}")

    def refused(*paths: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", refused)
    assert store.read(ID) is None
    assert [where for where, _ in store.damaged] == [path]


@pytest.mark.parametrize(
    "bad",
    [
        record(loss=float("nan")), record(model=object()), record(schema=2), record(status="fine"),
        record(reason="\ud800"), record(result={"n": 2**70}), record(result={"n": DEEP}),
        record(run={"n": "0" * 2**26}),
    ],
    ids=lambda bad: repr(bad)[:200][-40:],
)  # fmt: skip
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
    assert store.status(ID) == "ok"
    assert [path.name for path in store.record_path(ID).parent.iterdir()] == [f"{ID}.json"]


def test_a_write_that_is_cut_short_leaves_the_old_record(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(record())

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(record(status="crashed"))
    assert store.status(ID) == "ok"


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file where a folder should be")
    store = RecordStore(tmp_path)
    for use in (lambda: store.write(record()), lambda: store.read(ID)):
        with pytest.raises(BenchError, match=re.escape(f"The store {tmp_path} can't be used")):
            use()
    with pytest.raises(BenchError, match="can't be used"), RecordStore(tmp_path / "records").lock(print):
        pass


def hold(store: RecordStore, seconds: float) -> subprocess.Popen[str]:
    """A process that holds the store's lock."""
    command = [sys.executable, "-c", HOLDER, str(store.root), str(seconds)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_run_says_once_that_it_waits_and_goes_on_when_the_first_ends(store: RecordStore) -> None:
    said: list[str] = []
    holder = hold(store, 0.5)
    with store.lock(said.append):
        assert holder.wait(timeout=30) == 0
    (sentence,) = said
    assert f"in use by another run (process {holder.pid}): waiting until it ends" in sentence
    with store.lock(said.append):
        assert len(said) == 1


def test_ctrl_c_leaves_the_wait_and_a_killed_holder_leaves_no_lock(store: RecordStore) -> None:
    holder = hold(store, 600)
    command = [sys.executable, "-u", "-c", HOLDER, str(store.root), "0"]
    waiting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert waiting.stdout is not None
        assert "waiting" in waiting.stdout.readline()
        assert store.read(ID) is None  # readers take no lock
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(timeout=30) == -signal.SIGINT
    finally:
        holder.send_signal(signal.SIGKILL)
        waiting.kill()
        holder.communicate()
        waiting.communicate()
    with store.lock(pytest.fail):
        store.write(record())
