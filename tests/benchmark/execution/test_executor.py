from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy_bench import collect, run_one

from benchmark.errors import BenchError
from benchmark.execution import executor as executor_module
from benchmark.execution.attempt import Finished
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.placement.host import MemoryKills
from benchmark.execution.processes.lease import WORKER_ENVIRONMENT
from benchmark.files import json_value
from benchmark.planning.job import Job

TOY = "toy_work:execute"


@pytest.fixture(autouse=True)
def _toy_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    with LocalExecutor(1, {"root": str(tmp_path)}, TOY) as local:
        yield local


def test_a_job_comes_back_with_its_result(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    assert executor.free_slots == 1
    executor.submit(job("a"), 1)
    assert executor.free_slots == 0
    (finished,) = collect(executor, 1)
    assert executor.free_slots == 1
    assert (finished.job, finished.attempt, finished.status) == (job("a"), 1, "ok")
    assert finished.result["pid"] != os.getpid()
    assert finished.run["device"] == "toy"
    assert finished.run["seconds"] >= 0
    again = run_one(executor, job("b"))
    assert again.result["pid"] == finished.result["pid"]  # the process is kept
    assert len(run_one(executor, job("c", "big")).result["bits"]) == 1_000_000
    assert executor.wait(0.0) == []


def test_a_retry_gets_a_process_of_its_own(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    before = {run_one(executor, job("a", role=role)).result["pid"] for role in ("owner", "thief")}
    after = run_one(executor, job("b"), attempt=2).result["pid"]
    import toy_work

    assert after not in before
    assert not any(toy_work.alive(pid) for pid in before)


@pytest.mark.parametrize(
    ("do", "status", "reason"),
    [
        ("raise", "crashed", r"JSONDecodeError: Expecting value: .* \(toy_work\.py:\d+\)"),
        ("sys.exit", "crashed", r"SystemExit: 3 \(toy_work\.py:\d+\)"),
        ("memory", "oom", r"out of memory: toy"),
        ("nan", "crashed", r"ValueError: .*not JSON compliant.*"),
        ("object", "crashed", r"TypeError: .*not JSON serializable.*"),
        ("odd status", "crashed", r"ValueError: .*unknown status 'fine'.*"),
        ("os._exit", "killed", r"The worker process exited with code 3 in the middle of the job\."),
        ("segfault", "killed", r"The worker process was killed by SIGSEGV\."),
    ],
)
def test_a_failure_costs_its_own_job_only(
    executor: LocalExecutor, job: Callable[..., Job], do: str, status: str, reason: str
) -> None:
    healthy = run_one(executor, job("before"))
    finished = run_one(executor, job("bad", do))
    assert finished.status == status
    assert finished.reason is not None
    assert re.fullmatch(reason, finished.reason)
    assert finished.result == {}
    assert finished.run["log"] == "keyholder-0.log"
    assert ("traceback" in finished.run) == (status != "killed")
    after = run_one(executor, job("after"))
    assert after.status == "ok"
    assert after.result["pid"] != healthy.result["pid"]  # what failed may have left the process unfit


@pytest.mark.parametrize("do", ["raise half a character", "raise at length"])
def test_an_error_is_told_in_words_that_can_be_read_again(
    executor: LocalExecutor, job: Callable[..., Job], do: str
) -> None:
    finished = run_one(executor, job("bad", do))
    assert finished.status == "crashed"
    told = json.dumps([finished.reason, finished.run]).encode()
    assert json_value(told)[0].startswith("ValueError: ")
    assert len(told) < 2**20


def test_what_is_not_applicable_is_no_failure(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    finished = run_one(executor, job("a", "not-applicable"))
    assert (finished.status, finished.reason) == ("not-applicable", "nothing to attack")


def test_a_job_that_hangs_is_stopped_with_all_it_started(
    executor: LocalExecutor, job: Callable[..., Job], tmp_path: Path
) -> None:
    import toy_work

    finished = run_one(executor, job("stuck", "hang with a child", timeout=2.0))
    assert finished.status == "timeout"
    assert finished.reason == "It was stopped after its time limit of 2 s."
    pids = {int((toy_work.notes(tmp_path) / name).read_text()) for name in ("stuck.pid", "child.pid")}
    assert toy_work.gone(pids)
    assert run_one(executor, job("next")).status == "ok"


def test_the_time_limit_does_not_count_the_start(
    tmp_path: Path, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_entry.py").write_text("import time\ntime.sleep(3)\nfrom toy_work import execute\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with LocalExecutor(1, {"root": str(tmp_path)}, "slow_entry:execute") as executor:
        assert run_one(executor, job("a", timeout=2.0)).status == "ok"


def test_a_worker_that_never_starts_is_given_up(
    executor: LocalExecutor, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "START_SECONDS", 0.0)
    finished = run_one(executor, job("a"))
    assert (finished.status, finished.reason) == ("killed", "The worker process did not start within 0 s.")
    monkeypatch.undo()


def test_an_entry_that_cannot_be_imported_is_a_killed_job(tmp_path: Path, job: Callable[..., Job]) -> None:
    with LocalExecutor(1, {"root": str(tmp_path)}, "no_such_module:execute") as executor:
        finished = run_one(executor, job("a"))
    assert finished.status == "killed"
    assert finished.reason == "The worker process exited with code 1 in the middle of the job."
    assert "No module named 'no_such_module'" in (tmp_path / "logs" / "keyholder-0.log").read_text()


def test_an_idle_worker_that_died_is_replaced(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    import toy_work

    pid = run_one(executor, job("a")).result["pid"]
    os.kill(pid, signal.SIGKILL)
    assert toy_work.gone({pid})
    assert run_one(executor, job("b")).status == "ok"


def test_a_process_killed_from_outside_is_named(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    pid = run_one(executor, job("a")).result["pid"]
    executor.submit(job("b", "hang"), 1)
    os.kill(pid, signal.SIGKILL)
    (finished,) = collect(executor, 1)
    assert finished.status == "killed"
    assert finished.reason == (
        "The worker process was killed by SIGKILL, often a sign that the machine ran out of memory."
    )


def test_what_the_system_kills_for_memory_ran_out_of_it(
    executor: LocalExecutor, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = run_one(executor, job("a")).result["pid"]
    executor.submit(job("b", "hang"), 1)
    monkeypatch.setattr(MemoryKills, "_ever", lambda _: 1 << 40)  # what the kernel counts
    os.kill(pid, signal.SIGKILL)
    (finished,) = collect(executor, 1)
    assert finished.status == "oom"
    assert finished.reason == "The system killed the worker process because memory ran out: free some of it."


def test_what_ended_is_returned_before_the_error_of_another_step(
    tmp_path: Path, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BenchError("A worker process can't be started: the disk is full.")

    with LocalExecutor(2, {"root": str(tmp_path)}, TOY) as executor:
        run_one(executor, job("first"))  # its process serves the next one at once
        executor.submit(job("a", role="court"), 1)  # of one step
        executor.submit(job("b", role="thief"), 1)
        monkeypatch.setattr(executor, "_hand_over", fail)
        time.sleep(2.0)  # a has ended, and b's process is ready
        assert [finished.job.label for finished in executor.wait(1.0)] == ["a"]
        with pytest.raises(BenchError, match="the disk is full"):
            executor.wait(1.0)


def test_no_attack_runs_where_a_key_was(tmp_path: Path, job: Callable[..., Job]) -> None:
    roles = ("owner", "thief", "court") * 6
    pids: dict[str, set[int]] = {role: set() for role in roles}
    waiting = [job(f"{role} {number}", role=role, sleep=0.02) for number, role in enumerate(roles)]
    with LocalExecutor(2, {"root": str(tmp_path)}, TOY) as executor:
        ended: list[Finished] = []
        while len(ended) < len(roles):
            while waiting and executor.free_slots:
                executor.submit(waiting.pop(), 1)
            ended += executor.wait(1.0)
    for finished in ended:
        pids[finished.job.role].add(finished.result["pid"])
    keyholders = pids["owner"] | pids["court"]
    assert not keyholders & pids["thief"]
    assert len(keyholders) <= 2
    assert len(pids["thief"]) <= 2


def test_one_thread_and_one_hash_seed_in_workers_only(
    executor: LocalExecutor, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    seen = run_one(executor, job("a", "environment")).result["environment"]
    assert {name: seen[name] for name in WORKER_ENVIRONMENT} == {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_what_a_job_prints_goes_to_its_log(
    executor: LocalExecutor, job: Callable[..., Job], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_one(executor, job("noisy", "print", role="thief"))
    run_one(executor, job("bad", "raise", role="thief"))
    assert capfd.readouterr() == ("", "")
    log = (tmp_path / "logs" / "thief-0.log").read_text()
    for text in ("--- 'noisy'", "from python", "from native code", "on stderr", "JSONDecodeError"):
        assert text in log


def test_workers_ignore_ctrl_c(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    finished = run_one(executor, job("a", "sigint"))
    assert finished.status == "ok"
    assert finished.result["session"] != os.getsid(0)  # so the terminal's Ctrl-C does not even reach it


def test_closing_ends_running_jobs(tmp_path: Path, job: Callable[..., Job]) -> None:
    import toy_work

    executor = LocalExecutor(2, {"root": str(tmp_path)}, TOY)
    idle = run_one(executor, job("idle")).result["pid"]
    executor.submit(job("stuck", "hang", role="thief"), 1)
    pid = toy_work.notes(tmp_path) / "stuck.pid"
    while not pid.exists() or not pid.read_text():
        executor.wait(0.05)
        time.sleep(0.01)
    executor.close()
    executor.close()
    assert not toy_work.alive(idle)
    assert not toy_work.alive(int(pid.read_text()))


def test_no_workers_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="At least one worker"):
        LocalExecutor(0, {"root": str(tmp_path)})
