"""What a job may read, by its role: keys are for courts and insiders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark.crypto.secret_streams import SecretStreams
from benchmark.execution.job_context import Changed, JobContext
from benchmark.planning.job import Job
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.store import artefacts
from benchmark.store.records import RecordStore
from benchmark.store.secret import digest_of, read_secret, secret_path, store_secret
from benchmark.vocabulary import JobRole
from schemes.adi import Adi

KEY = Adi().trigger_key(torch.arange(4 * 256, dtype=torch.int64).to(torch.uint8).view(4, 1, 16, 16), b"s" * 32, 10)


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
