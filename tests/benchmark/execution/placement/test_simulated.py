"""Placement and scheduler over simulated cards: what gets done, in which memory, and that nothing is left behind."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from simulated_cards import Card, SimulatedExecutor, Speed, work
from toy_bench import Recorder

from benchmark.execution.placement.allowance import START
from benchmark.execution.placement.placement import Placement
from benchmark.execution.scheduler import Summary, run_jobs
from benchmark.planning.job import Job
from benchmark.store.records import RecordStore


def simulated(
    root: Path, jobs: list[Job], speed: Speed, *sizes_mb: float, workers: int = 16, adapts: bool = True
) -> tuple[SimulatedExecutor, Summary]:
    cards = [Card(f"cuda:{number}", mb) for number, mb in enumerate(sizes_mb)]
    executor = SimulatedExecutor(Placement(cards, workers, adapts=adapts), cards, speed)
    summary = run_jobs(jobs, RecordStore(root / "store"), executor, Recorder())  # type: ignore[arg-type]
    return executor, summary


def one_is_all(training: int) -> float:
    """A card that one job fills but for its pauses."""
    return 1.0 if training == 1 else 1.15


def twelve_fit(training: int) -> float:
    """A card on which small nets wait for their launches."""
    return float(min(training, 12))


def twelve_and_no_more(training: int) -> float:
    return twelve_fit(training) if training < 14 else 10.0


@pytest.mark.parametrize(("speed", "fewest", "most"), [(one_is_all, 2, 4), (twelve_and_no_more, 12, 14)])
def test_a_card_is_given_as_many_as_it_gains_from(tmp_path: Path, speed: Speed, fewest: int, most: int) -> None:
    jobs = [work(number) for number in range(240)]
    executor, summary = simulated(tmp_path, jobs, speed, 80_000.0)
    assert set(summary.statuses.values()) == {"ok"}
    assert fewest <= executor.peaks["cuda:0"] <= most
    best = sum(job.seconds for job in jobs) / max(map(speed, range(1, 17)))
    assert executor.clock < 1.5 * best


def test_a_number_that_was_asked_for_is_taken_from_the_beginning(tmp_path: Path) -> None:
    executor, _ = simulated(tmp_path, [work(n) for n in range(24)], twelve_fit, 80_000.0, workers=12, adapts=False)
    assert executor.peaks["cuda:0"] == 12
    assert executor.clock == pytest.approx(2 * 10 + 5)


def test_what_trains_nothing_overlaps(tmp_path: Path) -> None:
    train = [work(number) for number in range(20)]
    cheap = [work(number, "attacked", 2.0, mb=300.0, steps=0, name="prune") for number in range(60)]
    executor, summary = simulated(tmp_path, [*train, *cheap], one_is_all, 80_000.0)
    assert set(summary.statuses.values()) == {"ok"}
    assert executor.peaks["cuda:0"] <= 2 * START
    assert executor.overlapped > 40
    assert executor.clock < 1.1 * sum(job.seconds for job in train) / 1.15 + 10


def test_no_job_starts_where_its_memory_is_not_free(tmp_path: Path) -> None:
    """Until a job alike has ended, more is declared than these take: no card runs out."""
    jobs = [work(number, mb=3000.0, name="a") for number in range(12)]
    executor, summary = simulated(tmp_path, jobs, twelve_fit, 16_000.0, 8_000.0, adapts=False)
    assert set(summary.statuses.values()) == {"ok"}
    assert executor.ran_out == []
    assert executor.peaks == {"cuda:0": 3, "cuda:1": 1}  # 900 + 1.25 x 3000 MB each, of 95 %


def test_what_runs_out_of_memory_is_alone_on_its_card_and_warns_those_alike(tmp_path: Path) -> None:
    large = [work(number, seconds=20.0, mb=9000.0, name="large") for number in range(8)]
    small = [work(number, mb=500.0, name="small") for number in range(40)]
    executor, summary = simulated(tmp_path, [*large, *small], twelve_fit, 16_000.0, 16_000.0)
    assert set(summary.statuses.values()) == {"ok"}
    assert 0 < len(executor.ran_out) <= 4
    assert {job.payload["stages"][0]["name"] for job in executor.ran_out} == {"large"}


def test_what_no_card_holds_ends_after_its_second_try(tmp_path: Path) -> None:
    huge, other = work(0, mb=30_000.0, name="huge"), work(1)
    executor, summary = simulated(tmp_path, [huge, other], twelve_fit, 16_000.0)
    assert summary.statuses == {huge.id: "oom", other.id: "ok"}
    assert executor.ran_out == [huge, huge]


def test_two_cards_share_the_work(tmp_path: Path) -> None:
    jobs = [work(number) for number in range(60)]
    one, _ = simulated(tmp_path / "one", jobs, one_is_all, 80_000.0)
    two, _ = simulated(tmp_path / "two", jobs, one_is_all, 80_000.0, 80_000.0)
    assert math.isclose(two.clock, one.clock / 2, rel_tol=0.15)
    assert min(two.peaks.values()) >= START
