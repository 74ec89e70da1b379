"""What one job can do to the others, to the driver and to the disk: nothing that lasts."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import toy_intruder
from toy_bench import run_one

from benchmark.errors import BenchError
from benchmark.execution.executor import Finished, LocalExecutor
from benchmark.execution.processes.zygote import LONGEST_LOG
from benchmark.planning.job import Job

DRIVER = """
import sys, toy_intruder
from toy_work import job
from benchmark.execution.executor import LocalExecutor
executor = LocalExecutor(1, {"root": sys.argv[1], "device": "cpu"}, "toy_intruder:execute")
executor.submit(toy_intruder.foreign(job("stuck", "leave a process", role="thief", stay=600.0)), 1)
while True:
    executor.wait(1.0)
"""


def test_foreign_code_has_a_process_of_its_own(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    own = [run_one(intruder, toy_intruder.foreign(job(label, role="thief"))).result for label in "abc"]
    lasting = [run_one(intruder, job(label, role="thief")).result for label in "def"]
    assert len({found["pid"] for found in own}) == 3
    assert len({found["pid"] for found in lasting} | {found["pid"] for found in own}) == 4
    assert len({found["answered by"] for found in own + lasting}) == 1  # by one court, in which nothing foreign ran
    assert own[0]["made"]["label"] == "a"


def test_the_time_limit_is_of_a_jobs_steps_together(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    found = run_one(intruder, job("a", "take time", pause=0.6, timeout=5.0))
    assert found.status == "ok"
    assert found.run["seconds"] > 1.2
    found = run_one(intruder, job("b", "take time", pause=0.6, timeout=1.0))
    assert (found.status, found.reason) == ("timeout", "It was stopped after its time limit of 1 s.")


@pytest.mark.parametrize("trusted", [True, False])
def test_a_job_that_forks_and_returns_twice_shifts_no_result(
    intruder: LocalExecutor, job: Callable[..., Job], trusted: bool
) -> None:
    twice = job("twice", "fork and return twice", role="thief")
    results = [run_one(intruder, twice if trusted else toy_intruder.foreign(twice))]
    results += [run_one(intruder, job(label, role="thief")) for label in ("next", "after next")]
    assert [found.result["label"] for found in results] == ["twice", "next", "after next"]


def test_what_a_job_leaves_running_ends_with_it(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    import toy_work

    found = run_one(intruder, toy_intruder.foreign(job("a", "leave a process", role="thief")))
    assert not toy_work.alive(found.result["left"])


def test_what_a_job_leaves_running_ends_with_a_killed_driver(tmp_path: Path, job: Callable[..., Job]) -> None:
    import toy_work

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], env=environment)
    stuck = job("stuck", "leave a process", stay=600.0)
    left, end = tmp_path / "work" / stuck.id / "left.pid", time.monotonic() + 60
    try:
        while not left.exists() or not left.read_text():
            assert driver.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        driver.kill()
        driver.wait()
    assert toy_work.gone({int(left.read_text())})


@pytest.mark.parametrize(
    "text",
    [
        "garbage", '{"ready": true}', "[]", "9" * 5000, "[" * 100_000, "null",
        '{"job": "x", "nonce": "y", "outcome": {"status": "ok", "result": {}, "run": {}}}',
    ],
)  # fmt: skip
def test_what_a_job_writes_into_pipes_costs_itself_alone(
    intruder: LocalExecutor, job: Callable[..., Job], text: str
) -> None:
    bad = run_one(intruder, toy_intruder.foreign(job("bad", "write everywhere", role="thief", text=text, stay=0.5)))
    assert bad.status == "killed"
    assert bad.reason == "The worker process sent something that is no outcome of this job."
    assert run_one(intruder, job("good", role="thief")).status == "ok"


def test_a_flooded_pipe_ends_the_worker(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    assert run_one(intruder, toy_intruder.foreign(job("bad", "flood", role="thief"))).status == "killed"


def test_a_signal_without_a_name_is_a_sentence(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    assert run_one(intruder, job("a", "signal 40")).reason == "The worker process was killed by signal 40."


def test_printed_gigabytes_are_cut(intruder: LocalExecutor, job: Callable[..., Job], tmp_path: Path) -> None:
    log, sizes = tmp_path / "logs" / "thief-0.log", [0]
    intruder.submit(job("a", "print much", role="thief", megabytes=200, stay=1.0), 1)
    ended: list[Finished] = []
    while not ended:
        ended = intruder.wait(0.2)
        sizes.append(log.stat().st_size if log.exists() else 0)
    assert sizes[-2] <= LONGEST_LOG  # before it ended
    text = log.read_bytes()
    assert len(text) <= LONGEST_LOG
    assert b"the first words" in text
    assert b"was cut" in text
    assert text.rstrip().endswith(b"the last words")


def test_what_a_job_changes_for_the_next_ones_is_a_crash(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    before = run_one(intruder, job("before")).result["pid"]
    changed = run_one(intruder, job("a", "change Python"))
    assert changed.status == "crashed"
    assert changed.reason == "it changed the recursion limit, os.environ['PATH'], math.sqrt for the jobs after it"
    assert run_one(intruder, job("after")).result["pid"] != before


def test_what_foreign_code_changes_is_noted(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    changed = run_one(intruder, toy_intruder.foreign(job("a", "change Python", role="thief")))
    assert (changed.status, changed.run["changed"][-1]) == ("ok", "math.sqrt")


def test_a_passing_fault_is_tried_again(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    found = run_one(intruder, job("a", "open too many"))
    assert found.status == "killed"
    assert found.reason == "the machine could not do it just now (Too many open files): run the same command again"


def test_too_few_open_files_are_a_sentence(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    run_one(intruder, job("a"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # no file closes by itself from here on
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        with pytest.raises(BenchError, match=r"can't be started: Too many open files.*ulimit -n"):
            run_one(intruder, job("b", role="thief"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert run_one(intruder, job("c", role="thief")).status == "ok"


def test_a_fork_server_that_was_killed_is_started_again(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    server = intruder.zygote._process
    run_one(intruder, job("a"))
    server = intruder.zygote._process
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    assert run_one(intruder, job("b", role="thief")).status == "ok"
