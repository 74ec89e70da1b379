"""A suspect in a process of its own: what the court gets from it, and what it does with nonsense."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from foreign_nets import artefact

from benchmark.app.standalone_files import served
from benchmark.architectures.net import Net, build, known
from benchmark.data.prepared import prepare_splits, source_files, split_files
from benchmark.data.tasks import find_task
from benchmark.execution.mishaps import mishap
from benchmark.execution.processes import landlock
from benchmark.execution.suspect_process import RemoteService, suspect_process
from benchmark.execution.walls import Walls
from benchmark.plugins.registry import Registry
from benchmark.protocol.objects import Service, ServiceFailed
from benchmark.store import artefacts

X = torch.full((3, 1, 8, 8), 0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plugin")


@pytest.fixture(scope="module")
def remote() -> Iterator[RemoteService]:
    with suspect_process("cpu", Walls(())) as service:
        yield service


def load(remote: RemoteService, folder: Path, way: str) -> None:
    path, sha256, source = artefact(folder, way)
    remote.load(artefacts.read_service(path, "a", sha256), [source])


def test_it_answers_as_a_service_here_does(remote: RemoteService, folder: Path) -> None:
    load(remote, folder, "seven")
    assert remote.ask(X, "labels").tolist() == [7, 7, 7]
    assert remote.ask(X, "outputs")[0].tolist() == [0.0] * 7 + [1.0] + [0.0] * 2
    assert torch.allclose(remote.ask(X, "probabilities").sum(1), torch.ones(3))
    assert not known({"builder": "odd"})  # no code of it came here


def test_its_graph_comes_with_the_tensors(remote: RemoteService) -> None:
    spec = {"builder": "convnet", "classes": 10, "mean": [0.5], "std": [0.5]}
    net = Net.of(build(spec))
    remote.load(Service(net), [])
    images = (2, 1, 16, 16)
    here, there = Service(net).running().graph(images), remote.graph(images)
    assert [one.name for one in here] == [one.name for one in there]
    for one, other in zip(here, there, strict=True):
        for first, second in zip(one.tensors, other.tensors, strict=True):
            assert (first is None) == (second is None)
            assert first is None or torch.equal(first, second)
    answers = Service(net).running().ask(torch.rand(images), "labels")
    assert len(answers) == 2


@pytest.mark.parametrize(
    ("way", "message", "status"),
    [
        ("raise", "KeyError: 'no such image'", None),
        ("leave", "SystemExit: 3", None),
        ("memory", "out of memory: MemoryError", "oom"),
        ("nan", "the suspect answers with NaN or infinity", None),
        ("fewer", "the suspect answers 3 images with the shape (2, 10)", None),
    ],
)
def test_what_goes_wrong_there_is_a_sentence_here(
    remote: RemoteService, folder: Path, way: str, message: str, status: str | None
) -> None:
    load(remote, folder, way)
    with pytest.raises(ServiceFailed) as failed:
        remote.ask(X, "outputs")
    assert str(failed.value) == message
    found = mishap(failed.value)
    assert (found and found[0]) == status
    load(remote, folder, "seven")  # it goes on
    assert remote.ask(X, "labels").tolist() == [7, 7, 7]


@pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")
def test_a_suspect_outside_of_a_run_reads_no_images_no_store_and_no_key(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, key, record = find_task("digits"), tmp_path / "key", tmp_path / "store" / "records" / "ab" / "r.json"
    prepare_splits(task)
    for file in (key, record):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    files = [key, record, *(one for role in split_files(task).values() for one in role), *source_files(task)]
    monkeypatch.setenv("ODD_PATHS", os.pathsep.join(map(str, files)))
    path, sha256, source = artefact(folder, "look")
    service = artefacts.read_service(path, "a", sha256)
    registry = Registry.discover([Path(source.path)])
    where = tmp_path / "store", "digits", [key]
    with served(path, service, registry, "cpu", *where) as asked:
        assert asked.ask(X, "labels").tolist() == [8, 8, 8]
    with suspect_process("cpu", Walls(())) as remote:  # it finds what nothing keeps from it
        load(remote, folder, "look")
        assert remote.ask(X, "labels").tolist() == [7, 7, 7]


def test_a_suspect_that_ends_its_process_is_a_passing_mishap(folder: Path) -> None:
    with suspect_process("cpu", Walls(())) as remote:
        load(remote, folder, "exit")
        with pytest.raises(ServiceFailed, match="own process ended") as failed:
            remote.ask(X, "labels")
    assert mishap(failed.value) == ("killed", "the suspect's own process ended while it was asked")


@pytest.mark.parametrize(
    "reply",
    [
        (b"garbage",),
        (b"[" * 100_000,),
        (b"{}",),
        (b'{"ok": true}',),
        (b'{"ok": true, "array": {"dtype": "float32", "shape": [3]}}', bytes(12)),
        (b'{"ok": true, "array": {"dtype": "int64", "shape": [2]}}', bytes(16)),
        (b'{"ok": true, "array": {"dtype": "int64", "shape": [3]}}', bytes(16)),
        (b'{"ok": true, "array": {"dtype": "int64", "shape": [-3]}}', bytes(24)),
        (b'{"ok": true, "array": {"dtype": "int64", "shape": [99999999999999]}}', bytes(24)),
        (b'{"ok": true, "array": {"dtype": "object", "shape": [3]}}', bytes(24)),
        (b'{"ok": false}',),
        (b'{"ok": 1, "error": []}',),
    ],
)
def test_nonsense_from_there_is_a_failed_service(reply: tuple[bytes, ...]) -> None:
    ours, theirs = Pipe()

    def answer(pipe: Connection) -> None:
        json.loads(pipe.recv_bytes())
        pipe.recv_bytes()
        for part in reply:
            pipe.send_bytes(part)
        pipe.close()

    other = threading.Thread(target=answer, args=(theirs,))
    other.start()
    with pytest.raises(ServiceFailed):
        RemoteService(ours).ask(X, "labels")
    other.join()
    ours.close()


def test_it_is_not_told_whose_model_it_serves(folder: Path) -> None:
    """With the number of its job it could look what lay in the store of that job, and so how far the court was."""
    path, sha256, source = artefact(folder, "seven", job="0123456789abcdef")
    ours, theirs = Pipe()
    heard: list[bytes] = []

    def listen() -> None:
        heard.extend(theirs.recv_bytes() for _ in range(2))
        theirs.send_bytes(b'{"ok": true}')

    other = threading.Thread(target=listen)
    other.start()
    RemoteService(ours).load(artefacts.read_service(path, "0123456789abcdef", sha256), [source])
    other.join()
    assert artefacts.unpacked(heard[1]).net.spec == {"builder": "odd", "way": "seven"}
    assert b"0123456789abcdef" not in b"".join(heard)
