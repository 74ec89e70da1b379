"""Artefacts found damaged by a child are made again: once, for all who need them, and never in a circle."""

from __future__ import annotations

from collections.abc import Callable

from toy_bench import Bench

from benchmark.planning.job import Job


def test_a_damaged_artefact_of_an_earlier_run_is_made_again(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host", "artefact")
    marked = job("marked", "artefact", parents=(host,))
    judged = job("judged", "artefact", parents=(marked,), role="court")
    bench.run(host, marked)
    bench.spoil(host)
    bench.spoil(marked)
    summary = bench.run(host, marked, judged)  # making `marked` again shows that `host` is damaged too
    assert summary.statuses == {host.id: "ok", marked.id: "ok", judged.id: "ok"}
    assert (summary.rebuilt, summary.cached) == ({host.id, marked.id}, set())
    assert bench.events.of("started") == ["judged", "marked", "host", "marked", "judged"]
    assert [event for event in bench.events.seen if event[0] == "rebuilt"] == [
        ("rebuilt", "marked", "the checksum is wrong"),
        ("rebuilt", "host", "the checksum is wrong"),
    ]
    assert bench.status(host) == bench.status(marked) == "ok"


def test_siblings_share_one_rebuild(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host", "artefact", sleep=0.2)
    bench.run(host)
    bench.spoil(host)
    children = [job(f"child {n}", "artefact", parents=(host,)) for n in range(4)]
    summary = bench.run(host, *children, workers=4)
    assert set(summary.statuses.values()) == {"ok"}
    assert bench.events.of("started").count("host") == 1


def test_an_artefact_damaged_twice_is_a_crash(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host")
    child = job("child", "always damaged", parents=(host,))
    summary = bench.run(host, child)
    assert summary.statuses == {host.id: "ok", child.id: "crashed"}
    assert bench.events.of("started") == ["host", "child", "host", "child"]
    record = bench.store.read(child.id)
    assert record is not None
    assert record["reason"] == ("The artefact of host was made again and is still damaged: the checksum is wrong")


def test_a_rebuild_that_fails_blocks_its_children(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host", "artefact, then crash")
    bench.run(host)
    bench.spoil(host)
    children = [job(f"child {n}", "artefact", parents=(host,), sleep=0.2 * n) for n in range(3)]
    summary = bench.run(host, *children, workers=3)
    assert summary.statuses == {host.id: "crashed"}
    assert summary.blocked == {child.id: host.id for child in children}


def test_a_rebuild_may_be_blocked_itself(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host", "raise")
    marked = job("marked", "artefact", parents=(host,))
    rest = {"kind": "marked", "reason": None, "job": marked.payload, "parents": [], "result": {}, "run": {}}
    bench.store.write({"schema": 1, "id": marked.id, "status": "ok", **rest})  # its host was forgotten since
    judged = job("judged", "artefact", parents=(marked,), seconds=9.0)
    late = job("late", "artefact", parents=(marked,), seconds=9.0, pause=0.5)
    summary = bench.run(host, marked, judged, late, workers=2)
    assert summary.statuses == {host.id: "crashed"}
    assert summary.blocked == {marked.id: host.id, judged.id: host.id, late.id: host.id}


def test_a_job_may_only_call_its_parents_damaged(bench: Bench, job: Callable[..., Job]) -> None:
    child = job("child", "wrongly damaged")
    assert bench.run(child).statuses == {child.id: "crashed"}
