"""The scheduler: the order of jobs, what a failure costs, and runs that are stopped."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from graphlib import CycleError
from pathlib import Path
from typing import Any

import pytest
from toy_bench import Bench

from benchmark.errors import BenchError
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.scheduler import Summary, run_jobs
from benchmark.planning.job import Job
from benchmark.store.records import Record, RecordStore, fingerprint

HERE = Path(__file__).parents[1]
DRIVER = """
import sys
from pathlib import Path
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.progress import PlainProgress
from benchmark.store.records import RecordStore
from benchmark.execution.scheduler import run_jobs
from rich.console import Console
from toy_work import job

if __name__ == "__main__":
    root = Path(sys.argv[1])
    store = RecordStore(root)
    jobs = [job("quick", seconds=9), job("stuck", sys.argv[2]), job("stuck thief", sys.argv[2], role="thief")]
    with store.lock(print), LocalExecutor(2, {"root": str(root)}, "toy_work:execute") as executor:
        run_jobs(jobs, store, executor, PlainProgress(Console()))
"""


def test_the_longest_way_to_the_end_goes_first(bench: Bench, job: Callable[..., Job]) -> None:
    short = job("short", seconds=4.0)
    tie = job("tie", seconds=4.0)
    host = job("host", seconds=1.0)
    marked = job("marked", parents=(host,), seconds=1.0)
    attacked = job("attacked", parents=(marked,), seconds=3.0, role="thief")
    judged = job("judged", parents=(marked, attacked), seconds=0.5, role="court")
    jobs = (judged, attacked, short, tie, marked, host)  # an order that is no order
    summary = bench.run(*jobs)
    assert bench.events.of("started") == ["host", "marked", "short", "tie", "attacked", "judged"]
    assert summary == Summary(statuses={job.id: "ok" for job in jobs})


def test_a_record_holds_the_job_and_what_came_of_it(bench: Bench, job: Callable[..., Job]) -> None:
    import toy_work

    host = job("host")
    marked = job("marked", parents=(host,), amount=0.3)
    crash = job("crash", "raise", role="thief")
    bench.run(host, marked, crash)
    record = bench.store.read(marked.id)
    assert record is not None
    assert record.pop("run").keys() == {"seconds", "log", "finished", *toy_work.RAN}
    assert record == {
        "schema": 1,
        "identity": 3,
        "checksum": record["checksum"],
        "id": marked.id,
        "kind": "host",
        "status": "ok",
        "reason": None,
        "job": {"label": "marked", "do": "ok", "world": {"task": "toy"}, "amount": 0.3},
        "parents": [host.id],
        "given": fingerprint({host.id: {}}),
        "result": {**toy_work.MODEL, "pid": record["result"]["pid"]},
    }
    record = bench.store.read(crash.id)
    assert record is not None
    assert record["status"] == "crashed"
    assert record["reason"].startswith("JSONDecodeError: ")
    assert record["result"] == {}
    assert "toy_work.py" in record["run"]["traceback"]


@pytest.mark.parametrize(
    ("do", "status"), [("raise", "crashed"), ("os._exit", "killed"), ("not-applicable", "not-applicable")]
)
def test_nothing_runs_on_a_parent_that_failed(bench: Bench, job: Callable[..., Job], do: str, status: str) -> None:
    bad, good = job("bad", do), job("good")
    child = job("child", parents=(good, bad))
    grandchild = job("grandchild", parents=(child,))
    sibling = job("sibling", parents=(good,))
    jobs = (bad, good, child, grandchild, sibling)
    summary = bench.run(*jobs)
    assert summary.statuses == {bad.id: status, good.id: "ok", sibling.id: "ok"}
    assert summary.blocked == {child.id: bad.id, grandchild.id: bad.id}
    assert {event for event in bench.events.seen if event[0] == "blocked"} == {
        ("blocked", "child", "bad"),
        ("blocked", "grandchild", "bad"),
    }
    assert bench.store.read(child.id) is bench.store.read(grandchild.id) is None
    assert bench.run(*jobs).blocked == summary.blocked  # also where the failure is an old one


def test_a_second_run_does_only_what_is_left(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host")
    slow = job("slow", "hang", parents=(host,), timeout=0.3, role="thief")
    died = job("died", "os._exit", parents=(host,))
    crashed = job("crashed", "raise", parents=(host,))
    judged = job("judged", parents=(slow,))
    jobs = (host, slow, died, crashed, judged)
    first = bench.run(*jobs)
    assert first.statuses == {host.id: "ok", slow.id: "timeout", died.id: "killed", crashed.id: "crashed"}
    second = bench.run(*jobs)
    assert second.cached == {host.id, crashed.id}
    assert bench.events.seen[0] == ("planned", "host", "crashed")
    assert sorted(bench.events.of("started")) == ["died", "slow"]
    assert (second.statuses, second.blocked) == (first.statuses, first.blocked)


def test_a_job_that_hangs_does_not_hold_up_the_next(bench: Bench, job: Callable[..., Job]) -> None:
    stuck, later = job("stuck", "hang", timeout=0.3, seconds=9.0), job("later")
    assert bench.run(stuck, later).statuses == {stuck.id: "timeout", later.id: "ok"}
    assert bench.events.of("started") == ["stuck", "later"]


def test_out_of_memory_is_tried_again_alone(bench: Bench, job: Callable[..., Job]) -> None:
    import toy_work

    greedy = job("greedy", "oom once", seconds=9.0, role="thief")
    child = job("child", parents=(greedy,))
    others = [job(f"other {n}", sleep=0.1) for n in range(5)]
    summary = bench.run(greedy, child, *others, workers=3)
    assert set(summary.statuses.values()) == {"ok"}
    assert len(summary.statuses) == 7
    assert bench.events.of("postponed") == ["greedy"]
    entries = toy_work.journal(bench.root)
    _, second = (entry for entry in entries if entry["label"] == "greedy")
    beside = [e for e in entries if e["began"] < second["ended"] and e["ended"] > second["began"]]
    assert beside == [second]


def test_out_of_memory_twice_ends_the_run_and_not_the_cell(bench: Bench, job: Callable[..., Job]) -> None:
    greedy = job("greedy", "oom")
    child = job("child", parents=(greedy,))
    for _ in range(2):
        summary = bench.run(greedy, child)
        assert (summary.statuses, summary.blocked) == ({greedy.id: "oom"}, {child.id: greedy.id})
        assert bench.events.of("started") == ["greedy", "greedy"]
    assert not bench.store.finished(greedy.id)


def test_a_plan_without_its_ancestry_is_refused(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host")
    with pytest.raises(ValueError, match=f"child needs the job {host.id}"):
        bench.run(job("child", parents=(host,)))
    with pytest.raises(CycleError):
        bench.run(job("a", parents=(job("b"),)), job("b", parents=(job("a"),)))


def test_a_full_disk_ends_the_run_and_keeps_the_rest(
    bench: Bench, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job("a"), job("b"), job("c")]
    fsync, calls = os.fsync, []

    def filling(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", filling)
    with pytest.raises(BenchError, match="everything finished so far is kept"):
        bench.run(*jobs)
    assert [bench.status(job) for job in jobs] == ["ok", None, None]
    assert bench.run(*jobs).statuses == {job.id: "ok" for job in jobs}


def test_an_interrupted_run_abandons_what_runs_and_keeps_the_rest(
    bench: Bench, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    import toy_work

    quick, stuck = job("quick"), job("stuck", "hang")

    def interrupt(job: Job, record: Record) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.events, "finished", interrupt)
    executor = LocalExecutor(2, {"root": str(bench.root)}, "toy_work:execute")
    with pytest.raises(KeyboardInterrupt):
        run_jobs([quick, stuck], bench.store, executor, bench.events)
    assert executor.free_slots == 2
    assert not any(toy_work.alive(int(path.read_text())) for path in toy_work.notes(bench.root).glob("*.pid"))
    assert (bench.status(quick), bench.status(stuck)) == ("ok", None)


def start_driver(root: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1]), *sys.path])}
    command = [sys.executable, "-c", DRIVER, str(root), "hang once"]
    return subprocess.Popen(
        command,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_pids(root: Path, driver: subprocess.Popen[str], store: RecordStore, quick: Job) -> set[int]:
    """The workers' process ids, once two jobs hang and one is on disk."""
    import toy_work

    root = toy_work.notes(root)
    paths = [root / "stuck.pid", root / "stuck thief.pid"]
    end = time.monotonic() + 30
    while not (store.finished(quick.id) and all(path.exists() and path.read_text() for path in paths)):
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    return {int(path.read_text()) for path in [*paths, root / "quick.pid"]}


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_its_records_and_no_process(
    bench: Bench, job: Callable[..., Job], sign: signal.Signals
) -> None:
    import toy_work

    quick, stuck, thief = job("quick"), job("stuck", "hang once"), job("stuck thief", "hang once", role="thief")
    driver = start_driver(bench.root)
    try:
        pids = wait_for_pids(bench.root, driver, bench.store, quick)
        os.killpg(driver.pid, sign)  # as Ctrl-C does: the whole foreground group
        output, errors = driver.communicate(timeout=15)
    finally:
        driver.kill()
    assert driver.returncode == -sign
    assert toy_work.gone(pids)
    assert "ok" in output
    assert errors.count("Traceback") == (1 if sign == signal.SIGINT else 0)  # none from the workers
    assert bench.store.read(stuck.id) is None

    with bench.store.lock(print):
        summary = bench.run(quick, stuck, thief)
    assert summary.cached == {quick.id}
    assert summary.statuses == {quick.id: "ok", stuck.id: "ok", thief.id: "ok"}
    assert bench.store.damaged == []


def test_the_number_of_workers_changes_no_record(tmp_path: Path, job: Callable[..., Job]) -> None:
    host = job("host", "artefact")
    marked = [job(f"marked {n}", "artefact", parents=(host,)) for n in range(3)]
    attacked = [job(f"attacked {m.label}", "artefact", parents=(m,), role="thief") for m in marked]
    crash = job("crash", "raise", parents=(host,))

    def records(workers: int) -> dict[str, Any]:
        root = tmp_path / str(workers)
        root.mkdir()
        bench = Bench(root)
        bench.run(host, *marked, *attacked, crash, workers=workers)
        read = {path.name: json.loads(path.read_text()) for path in (root / "records").rglob("*.json")}
        for record in read.values():
            del record["run"], record["checksum"]
            record["result"].pop("pid", None)
        return read

    assert records(1) == records(4)
    assert len(records(2)) == 8


@pytest.mark.parametrize(
    ("result", "run", "wrong"),
    [
        ({"utility": None}, {}, "result: utility must be"),
        ({"cost": {"steps": -1}}, {}, "result: a cost is below 0"),
        ({"artefacts": {"../../x": ""}}, {}, "result: it has artefacts of other roles"),
        ({}, {"hardware": ["a"]}, "run: hardware must be a text, not ['a']"),
        ({}, {"seconds": -1e308}, "run: times and memory must lie between 0 and 1e+09"),
        ({"note": "\ud800"}, {}, "half a character"),
        ({"note": 2**70}, {}, "more than 64 bits"),
        ({"note": json.loads("[" * 40 + "]" * 40)}, {}, "nested more than 32 deep"),
    ],
)  # fmt: skip
def test_a_result_that_nobody_could_read_costs_its_own_job_alone(
    bench: Bench, job: Callable[..., Job], result: dict[str, Any], run: dict[str, Any], wrong: str
) -> None:
    odd, usual = job("odd", "odd outcome", odd=json.dumps([result, run])), job("usual")
    bench.run(odd, usual)
    assert [bench.status(one) for one in (odd, usual)] == ["crashed", "ok"]
    assert wrong in str((bench.store.read(odd.id) or {})["reason"])
    assert bench.store.damaged == []
