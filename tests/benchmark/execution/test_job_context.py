"""What a job may read, by its role, whose code it imports, and what it takes of what others made."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.architectures.net import Net, build
from benchmark.crypto.secret_streams import SecretStreams
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.execution.job_bodies import compute
from benchmark.execution.job_context import Changed, JobContext
from benchmark.planning.job import Job, PluginSource
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.protocol.answers import Answers
from benchmark.protocol.objects import Key, Service
from benchmark.store import artefacts
from benchmark.store.records import RecordStore
from benchmark.store.secret import digest_of, read_secret, secret_path, store_secret
from benchmark.training.engine import EAGER, Engine
from benchmark.vocabulary import JobRole
from schemes.adi import Adi

KEY = Adi().trigger_key(torch.arange(4 * 256, dtype=torch.int64).to(torch.uint8).view(4, 1, 16, 16), b"s" * 32, 10)
HOUSE = {"builder": "convnet", "classes": 10, "mean": [0.3], "std": [0.35], "widths": [16, 32, 64], "norm": "batch"}


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path)


@pytest.fixture
def judged(store: RecordStore) -> Job:
    """A court's job, with the key of its marked model in the store."""
    registry = Registry.discover()
    rows = select_schemes("adi()", registry), select_attacks("none", registry)
    plan = make_plan(load_profile("quick").with_options(seeds=1), *rows, {}, secret=digest_of(store_secret(store.root)))
    job = next(job for job in plan.jobs if job.kind == "judged")
    marked = next(one for one in plan.jobs if one.id == job.payload["key"])
    checksum = artefacts.write(store.artefact_path(marked.id, "key"), marked.id, KEY)
    store.write({
        "schema": 1, "id": marked.id, "kind": "marked", "status": "ok", "reason": None, "job": dict(marked.payload),
        "parents": [], "result": {"artefacts": {"key": checksum}}, "run": {},
    })  # fmt: skip
    return job


def test_somebody_elses_code_and_whoever_wants_it_train_step_by_step_on_a_gpu(judged: Job, store: RecordStore) -> None:
    gpu, world = torch.device("cuda"), judged.payload["world"]
    strange = {role: replace(source, trusted=False) for role, source in judged.sources.items()}
    assert JobContext(judged, store, gpu).task_context.engine == Engine(captured=True, compiler="inductor")
    assert JobContext(judged, store, torch.device("cpu")).task_context.engine == EAGER
    assert JobContext(replace(judged, sources=strange), store, gpu).task_context.engine == EAGER
    eager = replace(judged, payload=judged.payload | {"world": world | {"engine": "eager"}})
    assert JobContext(eager, store, gpu).task_context.engine == EAGER


def read_as(role: JobRole, job: Job, store: RecordStore) -> object:
    return JobContext(replace(job, role=role), store, torch.device("cpu")).key(job.payload["key"])


@pytest.mark.parametrize("role", ["court", "insider"])
def test_courts_and_insiders_read_keys(role: JobRole, judged: Job, store: RecordStore) -> None:
    found = read_as(role, judged, store)
    assert isinstance(found, type(KEY))
    assert torch.equal(Adi().triggers(found).x, Adi().triggers(KEY).x)


def test_owner_and_court_draw_from_the_secret(judged: Job, store: RecordStore) -> None:
    owner, court = (JobContext(replace(judged, role=role), store, torch.device("cpu")) for role in ("owner", "court"))
    assert owner.streams == court.streams == SecretStreams(read_secret(secret_path(store.root)))


@pytest.mark.parametrize("role", ["thief", "insider"])
def test_a_thief_draws_no_secret_stream(role: JobRole, judged: Job, store: RecordStore) -> None:
    with pytest.raises(PermissionError, match=f"is the {role}'s and may draw no secret stream"):
        _ = JobContext(replace(judged, role=role), store, torch.device("cpu")).streams


def test_an_exchanged_secret_is_no_seed(judged: Job, store: RecordStore) -> None:
    secret_path(store.root).write_text("ab" * 32)
    with pytest.raises(Changed, match="changed after the plan was made"):
        _ = JobContext(judged, store, torch.device("cpu")).streams


@pytest.mark.parametrize("role", ["thief", "owner"])
def test_nobody_else_does(role: JobRole, judged: Job, store: RecordStore) -> None:
    with pytest.raises(PermissionError, match=f"is the {role}'s and may not read a key"):
        read_as(role, judged, store)


@pytest.mark.parametrize("role", ["key", "answers"])
def test_keys_and_answers_are_their_keyholder_s_alone(role: str, store: RecordStore) -> None:
    path = store.artefact_path("ab" * 32, role)
    artefacts.write(path, "ab" * 32, KEY if role == "key" else Answers(torch.zeros(3, 10)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.parents[1] == store.root / "keys"
    assert stat.S_IMODE(path.parents[1].stat().st_mode) == 0o700


def test_a_key_is_never_readable_not_even_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    monkeypatch.setattr(os, "fsync", lambda file: modes.append(stat.S_IMODE(os.fstat(file).st_mode)))
    artefacts.write(tmp_path / "key.safetensors", "embed", KEY)
    assert modes == [0o600]


def test_answers_come_back_as_they_were_given(tmp_path: Path) -> None:
    outputs = torch.randn(5, 10)
    digest = artefacts.write(tmp_path / "answers", "job", Answers(outputs))
    assert torch.equal(artefacts.read_answers(tmp_path / "answers", "job", digest).outputs, outputs)
    with pytest.raises(artefacts.DamagedArtefact, match="its checksum differs"):
        artefacts.read_answers(tmp_path / "answers", "job", "0" * 64)


def left_by(store: RecordStore, job: Job, spec: dict[str, Any]) -> str:
    """What a party leaves in the working folder: a net of this spec; returns the file's SHA-256."""
    state = {name: one for name, one in build(HOUSE).state_dict().items()}
    return artefacts.write(store.work_path(job.id, "service"), job.id, Service(Net(spec, state)))


def context_in(store: RecordStore, job: Job, remote: Any = None) -> JobContext:
    return JobContext(job, store, torch.device("cpu"), remote)


def test_what_a_party_left_is_moved_and_asked(judged: Job, store: RecordStore) -> None:
    digest = left_by(store, judged, HOUSE)
    running = context_in(store, judged).take({"service": digest})
    assert running.ask(torch.zeros(2, 1, 16, 16), "labels").shape == (2,)
    assert not store.work_path(judged.id, "service").exists()
    assert artefacts.read_service(store.artefact_path(judged.id, "service"), judged.id, digest).net.spec == HOUSE


@pytest.mark.parametrize("trick", ["other bytes", "a link", "a pipe", "nothing"])
def test_what_is_not_what_its_maker_said_is_refused(trick: str, judged: Job, store: RecordStore) -> None:
    digest, path = left_by(store, judged, HOUSE), store.work_path(judged.id, "service")
    data, elsewhere = path.read_bytes(), store.root / "elsewhere"
    path.unlink()
    if trick == "other bytes":
        path.write_bytes(data[:-1] + b"x")
    elif trick == "a link":
        elsewhere.write_bytes(data)
        path.symlink_to(elsewhere)
    elif trick == "a pipe":
        os.mkfifo(path)
    with pytest.raises(ValueError, match="checksum differs" if trick == "other bytes" else "can't be read"):
        context_in(store, judged).take({"service": digest})
    assert not store.artefact_path(judged.id, "service").exists()


def test_what_a_party_says_of_its_model_has_a_form(judged: Job, store: RecordStore) -> None:
    job, digest = replace(judged, kind="attacked"), left_by(store, judged, HOUSE)
    for said in (
        {"cost": {}, "artefacts": {"service": digest, "../../records/x": digest}},
        {"cost": {}, "artefacts": {}},
        {"cost": {"queries": "few"}, "artefacts": {"service": digest}},
        {"cost": {}, "artefacts": {"service": digest}, "utility": {"correct": "1"}},
    ):
        with pytest.raises(BenchError, match="what the job made"):
            compute(context_in(store, job), "answer", said)


class Beside:
    """A process beside the court's, as far as a job knows it."""

    def __init__(self) -> None:
        self.loaded: list[Any] = []

    def load(self, *given: Any) -> None:
        self.loaded.append(given)


def test_no_court_imports_a_stranger_s_code(judged: Job, store: RecordStore, tmp_path: Path) -> None:
    """Its model is served by the process beside; where there is none it is refused, and nothing is imported either."""
    stranger = tmp_path / "stranger.py"
    stranger.write_text("raise SystemExit('imported')\n")
    source = PluginSource(str(stranger), "Stranger", source_hash(stranger), trusted=False)
    job = replace(judged, sources={**judged.sources, "stage0": source})
    strange = {**HOUSE, "builder": "a-builder-of-his-own"}
    digest, beside = left_by(store, job, strange), Beside()
    assert context_in(store, job, beside).take({"service": digest}) is beside
    ((service, sources),) = beside.loaded  # the model itself: no path, and no name of the job
    assert (service.net.spec["builder"], source in sources) == ("a-builder-of-his-own", True)
    digest = left_by(store, job, strange)
    with pytest.raises(ValueError, match="a builder that none of its job's plug-ins has"):
        context_in(store, job).take({"service": digest})


def test_a_process_that_may_read_no_record_is_given_what_it_needs(judged: Job, store: RecordStore) -> None:
    marked = judged.payload["key"]
    digest = artefacts.write(store.artefact_path(marked, "service"), marked, Service(Net.of(build(HOUSE))))
    store.record_path(marked).unlink()
    with pytest.raises(artefacts.DamagedArtefact, match="record of a parent is gone"):
        context_in(store, judged).service(marked)
    told = replace(judged, given={marked: {"service": digest}})
    assert context_in(store, told).service(marked).net.spec["builder"] == "convnet"


def test_a_file_that_no_memory_holds_is_not_read(tmp_path: Path) -> None:
    """A thief leaves a file of 3 TB that takes no room on the disk."""
    with (tmp_path / "made").open("wb") as file:
        file.truncate(3 << 40)
    with pytest.raises(ValueError, match="a model's or a key's file holds at most 2 GiB"):
        artefacts.settle(tmp_path / "made", tmp_path / "place", "0" * 64, secret=False)
    assert not (tmp_path / "place").exists()


@pytest.mark.parametrize(
    ("value", "wrong"), [(2**70, "more than 64 bits"), ("\ud800", "half a character"), (math.inf, "not finite")]
)
def test_no_key_is_written_that_could_not_be_read(tmp_path: Path, value: Any, wrong: str) -> None:
    @dataclass(frozen=True)
    class OddKey(Key):
        value: Any

    with pytest.raises(ValueError, match=wrong):
        artefacts.write(tmp_path / "key", "embed", OddKey(value, secret=b"s" * 32))
    assert not (tmp_path / "key").exists()


def test_no_model_is_written_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "MOST_TENSORS", 1000)
    with pytest.raises(ValueError, match="Answers is too large"):
        artefacts.write(tmp_path / "answers", "job", Answers(torch.zeros(1000)))
