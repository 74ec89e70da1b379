"""Large plans: the work of planner and scheduler grows with the jobs and no faster, and the order stays what it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from many_jobs import InstantExecutor, ends_ok, large_plan, run_at_once

from benchmark.execution.attempt import Finished
from benchmark.execution.placement import job_queue
from benchmark.execution.placement.job_queue import JobQueue
from benchmark.identity import job_id
from benchmark.planning import plan as planner
from benchmark.planning import plan_builder
from benchmark.planning.job import Job
from benchmark.planning.plan import Plan

ATTACKS = "prune(amount=0.1..0.9:0.1),quantize,scratch"


def lines_run(step: Callable[[], Any], *modules: Any) -> int:
    """How many lines of these modules a step runs: a measure of its work that no busy machine changes."""
    files, count = {module.__file__ for module in modules}, 0

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        return line if frame.f_code.co_filename in files else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        step()
    finally:
        sys.settrace(before)
    return count


@pytest.fixture(autouse=True)
def no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that no power cut need leave whole: a busy disk takes 10 ms for each."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def small() -> Plan:
    return large_plan(100, "adi(),rose()", ATTACKS)


def test_planning_takes_work_in_proportion_to_the_cells() -> None:
    plans: list[Plan] = []
    took = [
        lines_run(lambda cells=cells: plans.append(large_plan(cells, "adi()", ATTACKS)), planner, plan_builder)
        for cells in (100, 400)
    ]
    small, large = (len(plan.cells) for plan in plans)
    assert large >= 3 * small
    assert took[1] / took[0] < 1.1 * large / small


def test_the_next_job_is_found_without_a_search_among_those_that_are_not_ready() -> None:
    """Short jobs are ready; as many with a longer way wait for one that is still running."""

    def run(size: int) -> None:
        slow = Job("slow", "host", "owner", "slow", {})
        behind = [Job(f"long {one}", "attacked", "thief", "", {}, ("slow",), seconds=60.0) for one in range(size)]
        short = [Job(f"short {one}", "attacked", "thief", "", {}) for one in range(size)]
        queue = JobQueue({job.id: job for job in (slow, *behind, *short)})
        queue.begin({job.id for job in (slow, *behind, *short)})
        assert queue.take() == "slow"
        assert [queue.take() for _ in short] == [job.id for job in short]
        assert queue.take() is None

    took = [lines_run(lambda size=size: run(size), job_queue) for size in (200, 1600)]
    assert took[1] / took[0] < 1.1 * 1600 / 200


def test_every_job_is_named_by_its_payload_and_comes_behind_its_parents(small: Plan) -> None:
    seen: set[str] = set()
    for job in small.jobs:
        assert job.id == job_id(job.payload)
        assert seen.issuperset(job.parents)
        seen.add(job.id)


def test_a_run_of_many_jobs_ends_each_and_starts_the_ready_one_with_the_longest_way(
    small: Plan, tmp_path: Path
) -> None:
    executor = InstantExecutor(1)
    summary = run_at_once(small, tmp_path, executor)
    assert summary.statuses == {job.id: "ok" for job in small.jobs}
    jobs = {job.id: job for job in small.jobs}
    way: dict[str, float] = {}
    for job in reversed(small.jobs):  # children before parents
        way[job.id] = job.seconds + max((way[one.id] for one in small.jobs if job.id in one.parents), default=0.0)
    ended: set[str] = set()
    for started in executor.started:
        ready = [job.id for job in small.jobs if job.id not in ended and ended.issuperset(job.parents)]
        assert started == max(ready, key=lambda id: way[id]), jobs[started].label  # max takes the first in plan order
        ended.add(started)


def test_what_hangs_on_a_failed_job_is_blocked_and_all_else_runs(small: Plan, tmp_path: Path) -> None:
    failed = next(job for job in small.jobs if job.kind == "marked")

    def end(job: Job, attempt: int) -> Finished:
        return Finished(job, attempt, "crashed", "it fell") if job.id == failed.id else ends_ok(job, attempt)

    summary = run_at_once(small, tmp_path, InstantExecutor(4, end))
    behind = {failed.id}
    for job in small.jobs:
        if not behind.isdisjoint(job.parents):
            behind.add(job.id)
    assert set(summary.blocked) == behind - {failed.id}
    assert set(summary.statuses) == {job.id for job in small.jobs} - set(summary.blocked)


def test_a_parent_that_is_made_again_is_waited_for_again() -> None:
    parent = Job("parent", "host", "owner", "parent", {})
    child = Job("child", "host", "owner", "child", {}, parents=("parent",))
    queue = JobQueue({job.id: job for job in (parent, child)})
    queue.ended_ok("parent")
    queue.begin({"child"})
    queue.forgotten("parent")
    queue.add("parent")
    assert queue.take() == "parent"
    assert queue.take() is None
    queue.ended_ok("parent")
    assert queue.take() == child.id
    assert queue.take() is None


class Closed(InstantExecutor):
    """Has no room until it was waited for some times, though nothing runs: nodes of a cluster come back."""

    left = 3

    def free_for(self, job: Job, attempt: int = 1) -> bool:
        return self.left == 0 and super().free_for(job, attempt)

    def wait(self, timeout: float) -> list[Finished]:
        self.left = max(0, self.left - 1)
        return super().wait(timeout)


def test_jobs_wait_where_nothing_runs_and_there_is_no_room(small: Plan, tmp_path: Path) -> None:
    summary = run_at_once(small, tmp_path, Closed(2))
    assert len(summary.statuses) == len(small.jobs)
