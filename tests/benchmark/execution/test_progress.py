from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from benchmark.execution.executor import LocalExecutor
from benchmark.execution.progress import (
    BAR,
    JobCounts,
    LiveProgress,
    NotebookProgress,
    PlainProgress,
    duration,
    progress_for,
)
from benchmark.execution.scheduler import run_jobs
from benchmark.planning.job import Job
from benchmark.store.records import RecordStore
from benchmark.vocabulary import JobKind


def job(label: str, seconds: float = 1.0, kind: JobKind = "host", parents: tuple[str, ...] = ()) -> Job:
    return Job(label, kind, "owner", label, payload={}, parents=parents, seconds=seconds)


def record(status: str = "ok", seconds: float = 2.31, reason: str | None = None) -> dict[str, Any]:
    return {"status": status, "reason": reason, "run": {"seconds": seconds}}


def plain() -> tuple[PlainProgress, io.StringIO]:
    file = io.StringIO()
    return PlainProgress(Console(file=file, width=40)), file


def live(clock: Callable[[], float] = time.monotonic) -> tuple[LiveProgress, io.StringIO]:
    file = io.StringIO()
    return LiveProgress(Console(file=file, width=100, force_terminal=True), clock), file


def shown(progress: LiveProgress) -> str:
    file = io.StringIO()
    Console(file=file, width=100).print(progress.render())
    return file.getvalue()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_the_pace_so_far() -> None:
    clock = Clock()
    tally = JobCounts(clock)
    a, b, c, old = job("a", 10.0), job("b", 20.0), job("c", 30.0), job("old", 99.0)
    tally.planned([a, b, c, old], [old], workers=2)
    assert (tally.done, tally.total, tally.cached) == (0, 3, 1)
    assert tally.seconds_left() == pytest.approx(60 / 2)
    tally.started(a)
    tally.started(b)
    clock.now += 5.0
    assert [(running.label, elapsed) for running, elapsed in tally.running] == [("a", 5.0), ("b", 5.0)]
    assert tally.seconds_left() == pytest.approx((60 - 10) / 2)
    assert tally.share_done == 0
    tally.finished(a, record(seconds=30.0))  # three times what was expected
    assert (tally.done, tally.total) == (1, 3)
    assert tally.share_done == pytest.approx(10 / 60)
    assert tally.seconds_left() == pytest.approx(3 * 30)  # the last job keeps one worker busy, whatever the other does
    clock.now += 1000.0
    assert tally.seconds_left() == pytest.approx(3 * 30)  # a late job counts as about to end
    tally.finished(b, record(seconds=60.0))
    tally.blocked(c, b)
    assert (tally.done, tally.total) == (3, 3)
    assert (tally.seconds_left(), tally.share_done) == (0, 1)


def test_kinds_of_jobs_have_their_own_pace() -> None:
    tally = JobCounts(Clock())
    slow, quick = [[job(f"{kind} {one}", 10.0, kind) for one in range(9)] for kind in ("marked", "judged")]
    tally.planned([*slow, *quick], [], workers=1)
    tally.finished(slow[0], record(seconds=40.0))
    assert tally.seconds_left() == pytest.approx(4 * (8 + 9) * 10)  # nothing is known of the other kind yet
    tally.finished(quick[0], record(seconds=1.0))
    tally.finished(quick[1], record("crashed", seconds=0.0))  # says nothing about the others
    assert tally.seconds_left() == pytest.approx(4 * 8 * 10 + 0.1 * 7 * 10)


def test_workers_beyond_the_longest_chain_do_not_shorten_the_rest() -> None:
    clock = Clock()
    tally = JobCounts(clock)
    chain = [job("host", 10.0), job("marked", 20.0, parents=("host",)), job("judged", 5.0, parents=("marked",))]
    tally.planned([*chain, *(job(f"other {one}", 1.0) for one in range(40))], [], workers=8)
    tally.started(chain[0])
    clock.now += 4.0
    assert tally.seconds_left() == pytest.approx(10 - 4 + 20 + 5)


def test_a_job_that_runs_again_is_counted_again() -> None:
    tally = JobCounts(Clock())
    new, old = job("new"), job("old")
    tally.planned([new, old], [old], workers=1)
    tally.rebuilt(old, "its artefact is damaged")
    assert (tally.done, tally.total, tally.cached) == (0, 2, 0)
    tally.finished(old, record())
    tally.finished(new, record())
    tally.rebuilt(new, "its artefact is damaged")
    assert (tally.done, tally.total, tally.cached) == (1, 2, 0)


def test_one_plain_line_for_each_settled_job() -> None:
    progress, file = plain()
    host, label = job("host"), "attacked adi × prune(amount=0.3)"
    others = [job(f"other {number}") for number in range(9)]
    attacked, judged = job(label), job("judged " + label)
    with progress:
        progress.planned([host, attacked, judged, *others], [host], workers=2)
        progress.started(attacked)
        progress.finished(attacked, record())
        progress.postponed(others[0], "out of memory")
        progress.finished(others[1], record("crashed", 0.04, "ValueError: no (prune.py:3)"))
        progress.blocked(judged, others[1])
        progress.rebuilt(host, "the checksum is wrong")
    assert file.getvalue().splitlines() == [
        "11 jobs to run, 1 finished before",
        "[ 1/11] ok                 2.3s  attacked adi × prune(amount=0.3)",
        "other 0: out of memory",
        "[ 2/11] crashed            0.0s  other 1: ValueError: no (prune.py:3)",
        "[ 3/11] blocked                  judged attacked adi × prune(amount=0.3): it needs other 1",
        "host runs again: the checksum is wrong",
    ]


def test_a_crash_names_the_log_of_its_worker() -> None:
    progress, file = plain()
    with progress:
        progress.planned([job("a")], [], workers=1)
        crashed = record("crashed", 0.04, "ValueError: no (prune.py:3)")
        progress.finished(job("a"), {**crashed, "run": {**crashed["run"], "log": "thief-0.log"}})
    line = file.getvalue().splitlines()[-1]
    assert line.endswith("ValueError: no (prune.py:3); what it printed is in logs/thief-0.log")


def test_the_live_display_shows_what_runs_and_what_is_left() -> None:
    progress, _ = live(clock := Clock())
    jobs = [job("host", 60.0), job("marked", 600.0), job("done", 60.0), job("old")]
    progress.planned(jobs, [jobs[3]], workers=2)
    progress.started(jobs[0])
    clock.now += 42.0
    progress.started(jobs[1])
    progress.finished(jobs[2], record(seconds=60.0))
    top, *rows = shown(progress).splitlines()
    assert top.count("━") == BAR * 60 // 720  # of the expected seconds
    assert top.strip("━ ") == "1/3 done · 1 finished before · 2 running · about 10 min left"
    assert [line.split() for line in rows] == [
        ["42", "s", "host"],
        ["0", "s", "marked"],
    ]


def test_the_live_display_reports_failures_as_they_happen() -> None:
    progress, file = live()
    good, bad = job("good job"), job("bad job")
    with progress:
        progress.planned([good, bad], [], workers=1)
        progress.finished(good, record())
        progress.finished(bad, record("timeout", reason="too slow"))
    assert "bad job: too slow" in file.getvalue()
    assert "good job" not in file.getvalue()


@pytest.mark.parametrize("make", [plain, live])
def test_labels_and_reasons_are_only_text(make: Any) -> None:
    progress, file = make()
    bad, next_ = job("[bold]x[/nope] :smile: \x1b[2J\n\x9b2J"), job("[link=http://x]y[/link]")
    with progress:
        progress.planned([bad, next_], [], workers=1)
        progress.started(next_)
        progress.finished(bad, record("crashed", reason="[red]\x07 \x1b]0;title\x07"))
        progress.blocked(next_, bad)
    text = file.getvalue()
    assert "[bold]x[/nope] :smile:  [2J  2J: [red]   ]0;title " in text
    assert "[link=http://x]y[/link]" in text
    assert not any(code in text for code in ("\x1b[2J", "\x9b", "\x1b]0", "\x07"))


def test_the_display_suits_the_console() -> None:
    assert type(progress_for(Console(file=io.StringIO()))) is PlainProgress
    assert type(progress_for(Console(file=io.StringIO(), force_terminal=True))) is LiveProgress
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert type(progress_for(dumb)) is PlainProgress


@pytest.mark.parametrize("make", [plain, live])
def test_a_real_run_ends_with_everything_done(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    import toy_work

    host = toy_work.job("host", "artefact")
    child = toy_work.job("child", "always damaged", parents=(host,))
    grandchild = toy_work.job("grandchild", parents=(child,))
    progress, _ = make()
    with progress, LocalExecutor(2, {"root": str(tmp_path)}, "toy_work:execute") as executor:
        run_jobs([host, child, grandchild], RecordStore(tmp_path), executor, progress)
    assert (progress.done, progress.total) == (3, 3)
    assert progress.running == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3.0, "0 s"), (42.4, "42 s"), (99.4, "99 s"), (100.0, "2 min"), (5000.0, "83 min"), (6300.0, "1 h 45")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_notebook_has_one_output_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures: list[str] = []

    class Shown:
        def update(self, bundle: dict[str, str], *, raw: bool) -> None:
            assert raw
            pictures.append(bundle["text/plain"])

    def display(bundle: Any, *, raw: bool = False, display_id: bool = False) -> Shown:
        shown = Shown()
        if display_id:  # the rest are lines that rich prints
            shown.update(bundle, raw=raw)
        return shown

    notebook = ModuleType("IPython.display")
    notebook.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    progress, clock = progress_for(Console(file=io.StringIO(), force_jupyter=True)), Clock()
    assert isinstance(progress, NotebookProgress)
    progress._clock = clock
    a, b = job("a\x1b[2J", 10.0), job("b", 20.0)
    with progress:
        progress.planned([a, b], [], workers=1)
        progress.started(a)
        assert len(pictures) == 1
        clock.now += 10.0
        progress.finished(a, record(seconds=10.0))
        progress.started(b)
        clock.now += 5.0
    assert pictures[1].startswith("1/2 done · 0 finished before · 0 running")
    assert pictures[-1] == "1/2 done · 0 finished before · 1 running · about 15 s left\n      5 s b"
    assert len(pictures) == 3
