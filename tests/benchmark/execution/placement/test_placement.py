"""What one device is given, job by job, and what a run may ask of the devices that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulated_cards import Card, work

from benchmark.errors import BenchError
from benchmark.execution.placement import host, placement
from benchmark.execution.placement.devices import Device
from benchmark.execution.placement.needs import CONTEXT_MB, SPARE, UNKNOWN_MB, Need, Needs
from benchmark.execution.placement.placement import Placement, place_jobs
from benchmark.planning.job import Job
from benchmark.store.records import Record, RecordStore, Status
from benchmark.vocabulary import IDENTITY, RECORD_SCHEMA

GPU = {"device": "cuda", "peak_memory_mb": 2000.0, "seconds": 1.0}
TRAINED = {"cost": {"steps": 10}}


def record_of(job: Job, status: Status, result: dict[str, Any], run: dict[str, Any]) -> Record:
    return {
        "schema": RECORD_SCHEMA, "identity": IDENTITY, "id": job.id, "kind": job.kind, "status": status,
        "reason": None if status == "ok" else "it says why", "job": dict(job.payload), "parents": [], "result": result,
        "run": run,
    }  # fmt: skip


def test_a_job_declares_what_those_alike_took(tmp_path: Path) -> None:
    needs = Needs()
    job, other = work(0, name="a"), work(1, name="b")
    assert needs.of(job) == Need(CONTEXT_MB + UNKNOWN_MB, trains=True)
    needs.learn(job.payload, TRAINED, GPU | {"device": "cpu"})  # says nothing of a GPU
    assert needs.of(job).memory_mb == CONTEXT_MB + UNKNOWN_MB
    for peak in (2000.0, 1000.0):
        needs.learn(work(2, name="a").payload, TRAINED, GPU | {"peak_memory_mb": peak})
    assert needs.of(job).memory_mb == CONTEXT_MB + SPARE * 2000
    assert needs.of(other).memory_mb == CONTEXT_MB + UNKNOWN_MB
    needs.ran_out(job)
    assert needs.of(job).memory_mb == CONTEXT_MB + SPARE * 4000
    wider = work(0, name="a", architecture="wide")
    assert needs.of(wider).memory_mb == CONTEXT_MB + UNKNOWN_MB


def test_an_attack_trains_if_its_file_says_so_until_one_was_seen() -> None:
    needs = Needs()
    tuned, pruned = work(0, "attacked", name="finetune"), work(0, "attacked", steps=0, name="prune")
    assert (needs.of(tuned).trains, needs.of(pruned).trains) == (True, False)
    needs.learn(pruned.payload, TRAINED, GPU)
    needs.learn(tuned.payload, {"cost": {"steps": 0}}, GPU)
    assert (needs.of(tuned).trains, needs.of(pruned).trains) == (False, True)
    assert not needs.of(work(0, "judged")).trains
    for odd in ({}, {"cost": []}, {"cost": {"steps": None}}):  # from somebody else's code
        needs.learn(work(0, "attacked", name="odd").payload, odd, GPU)
    assert not needs.of(work(0, "attacked", name="odd")).trains


def test_records_of_the_store_are_remembered_and_damaged_ones_passed_over(tmp_path: Path) -> None:
    job = work(0, name="a")
    folder = tmp_path / "records/00"
    folder.mkdir(parents=True)
    store = RecordStore(tmp_path)
    store.write(record_of(job, "ok", TRAINED, GPU))
    store.write(record_of(work(1, name="a"), "not-applicable", {}, GPU | {"peak_memory_mb": 9000.0}))
    for name, text in (("b", "{"), ("c", "[]"), ("d", '{"job": 1, "result": [], "run": {"device": "cuda"}}')):
        (folder / f"{name}.json").write_text(text)
    assert Needs.of_store(tmp_path).of(job).memory_mb == CONTEXT_MB + SPARE * 2000


def test_memory_that_others_hold_or_take_is_not_given_away() -> None:
    card = Card("cuda:0", 20_000.0, held={"somebody": 9_000.0})
    place = Placement([card], 4)
    first, second = work(0), work(1)
    assert place.choose(first, {"cuda:0": 0.0}) == "cuda:0"
    place.began(first, "cuda:0")
    assert place.choose(second, {"cuda:0": 0.0}) == "cuda:0"  # 2 x 4,900 of 0.95 x 11,000 MB
    card.held["somebody"] = 16_000.0  # it took more meanwhile
    assert place.choose(second, {"cuda:0": 0.0}) is None
    assert place.choose(second, {"cuda:0": 2_000.0}) == "cuda:0"  # idle processes can be ended
    assert place.is_short(first, "cuda:0", idle_mb=2_000.0, own_mb=0.0)
    assert not place.is_short(first, "cuda:0", idle_mb=2_000.0, own_mb=2_000.0)
    assert place.is_short(first, "cuda:0", idle_mb=6_000.0, own_mb=2_000.0)


def test_who_ran_out_of_memory_shares_its_device_with_none() -> None:
    place = Placement([Card("cuda:0", 80_000.0), Card("cuda:1", 80_000.0)], 4)
    a, b, c = (work(number) for number in range(3))
    both = {"cuda:0": 0.0, "cuda:1": 0.0}
    place.began(a, "cuda:0")
    assert place.choose(b, both, alone=True) == "cuda:1"
    place.began(b, "cuda:1", alone=True)
    assert place.choose(c, both) == "cuda:0"
    assert place.choose(c, {"cuda:1": 0.0}) is None
    place.ended(b, "cuda:1", "oom", {}, {}, warm=False)
    assert place.choose(c, both) == "cuda:1"


def test_a_cpu_is_given_whatever_it_has_workers_for() -> None:
    place = Placement([Device("cpu")], 3)
    for job in (work(number) for number in range(3)):
        assert not place.trains(job)
        assert place.choose(job, {"cpu": 0.0}) == "cpu"
        place.began(job, "cpu")


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What others hold of two GPUs of 16 GB."""
    held = {"cuda:0": 0.0, "cuda:1": 0.0}
    found = lambda _: [Card(name, 16_384.0, held={"": mb}) for name, mb in held.items()]  # noqa: E731
    monkeypatch.setattr(placement, "devices", found)
    monkeypatch.setattr(host, "cores", lambda *_: 64)
    monkeypatch.setattr(host, "memory_mb_free", lambda *_: 1e6)
    return held


def test_workers_are_dealt_out_over_the_gpus_as_far_as_memory_reaches(tmp_path: Path, cards: dict[str, float]) -> None:
    assert [one.name for one in place_jobs("cuda", 5, None, tmp_path).devices] == ["cuda:0", "cuda:1"] * 2 + ["cuda:0"]
    assert len(place_jobs("cuda", None, None, tmp_path).devices) == 36  # of 900 MB
    with pytest.raises(BenchError, match=r"^--workers 40 need about 35\.2 GB of the GPU's memory .* at most 36 fit$"):
        place_jobs("cuda", 40, None, tmp_path)


def test_a_gpu_that_others_fill_is_left_out(tmp_path: Path, cards: dict[str, float]) -> None:
    cards["cuda:0"] = 16_000.0
    assert {one.name for one in place_jobs("cuda", 4, None, tmp_path).devices} == {"cuda:1"}
    cards["cuda:1"] = 16_384.0
    with pytest.raises(BenchError, match=r"^cuda:0 has 0\.4 GB free, cuda:1 has 0\.0 GB free and a worker takes 0\.9"):
        place_jobs("cuda", 4, None, tmp_path)
