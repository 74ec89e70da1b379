"""Jobs that are run although they have a record: by request, or since what they were made from came out different."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from toy_bench import Bench, Recorder

from benchmark.planning.job import Job
from benchmark.store.records import Record, fingerprint


def result(bench: Bench, job: Job) -> Any:
    record = bench.store.read(job.id)
    assert record is not None
    return record["result"]


def test_a_record_stays_until_the_new_one_is_there(
    bench: Bench, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = job("first", "count", seconds=9.0), job("second", "count")
    bench.run(first, second)
    again = {first.id, second.id}

    def interrupt(events: Recorder, job: Job, record: Record) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "finished", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.run(first, second, again=again)
    assert [result(bench, one)["count"] for one in (first, second)] == [2, 1]
    assert again == {second.id}
    monkeypatch.undo()
    assert bench.run(first, second).cached == {first.id, second.id}


def test_an_attempt_without_an_end_replaces_no_record(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host", "ok, then exit")
    child = job("child", parents=(host,))
    bench.run(host, child)
    again = {host.id}
    summary = bench.run(host, child, again=again)
    assert summary.statuses == {host.id: "killed", child.id: "ok"}
    assert bench.status(host) == "ok"
    assert again == {host.id}


def test_children_know_what_they_were_given(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host", "leave", value="a")
    child = job("child", "given", parents=(host,))
    bench.run(host, child)
    assert result(bench, child)["given"] == {host.id: {"service": "a"}}
    record = bench.store.read(child.id)
    assert record is not None
    assert record["given"] == fingerprint({host.id: {"service": "a"}})


def test_children_of_a_parent_that_came_out_different_are_made_again(bench: Bench, job: Callable[..., Job]) -> None:
    host, stable = job("host", "leave counted"), job("stable", "leave", value="b")
    child = job("child", "leave", value="c", parents=(host, stable))
    grandchild = job("grandchild", "count", parents=(child,))
    other = job("other", "count", parents=(stable,))
    jobs = (host, stable, child, grandchild, other)
    bench.run(*jobs)
    bench.run(*jobs, again={host.id, stable.id})
    assert sorted(bench.events.of("started")) == ["child", "host", "stable"]  # child came out as it was
    assert bench.events.of("rebuilt") == ["child"]
    assert bench.run(*jobs).cached == {one.id for one in jobs}


def test_it_is_noticed_by_the_next_run_where_this_one_was_stopped(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host", "leave counted")
    child = job("child", "leave counted", parents=(host,))
    grandchild = job("grandchild", "count", parents=(child,))
    bench.run(host, child, grandchild)
    bench.run(host, again={host.id})  # and the rest was never reached
    bench.run(host, child, grandchild)
    assert bench.events.of("started") == ["child", "grandchild"]
    assert bench.run(host, child, grandchild).cached == {host.id, child.id, grandchild.id}


def test_a_sibling_that_ran_on_the_old_artefact_runs_again(bench: Bench, job: Callable[..., Job]) -> None:
    host = job("host", "leave counted")
    bench.run(host)
    slow = job("slow", sleep=1.5, parents=(host,), seconds=9.0)
    finds = job("finds", "damaged once", parents=(host,))
    summary = bench.run(host, slow, finds, workers=2)
    assert set(summary.statuses.values()) == {"ok"}
    assert bench.events.of("started").count("slow") == 2
    assert bench.run(host, slow, finds).cached == {host.id, slow.id, finds.id}
