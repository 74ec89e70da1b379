"""A run that was stopped goes on where it stopped, and ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

from bench import COMMAND, arguments, bench, records, stamps


def start(results: Path) -> subprocess.Popen[str]:
    words = [*COMMAND, *arguments(results, "--workers", "2")]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(results: Path, count: int) -> None:
    """Until the run has written `count` records."""
    deadline = time.monotonic() + 120
    while len(stamps(results)) < count and time.monotonic() < deadline:
        time.sleep(0.05)


def workers_of(results: Path) -> list[int]:
    """Processes that still write to this store's logs."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(results) in os.readlink(entry) for entry in (process / "fd").iterdir()):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_killed_three_times_and_finished(finished: Path, tmp_path: Path) -> None:
    results, dice = tmp_path / "results", random.Random(7)
    for goal in (3, 12, 22):
        run = start(results)
        wait_for(results, goal)
        time.sleep(dice.uniform(0, 0.5))
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        assert run.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while workers_of(results) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers_of(results) == []
    before = stamps(results)
    assert 3 <= len(before) < len(records(finished))
    done = bench(*arguments(results))
    assert done.returncode == 0, done.stdout + done.stderr
    assert records(results) == records(finished)
    assert {name: stamps(results)[name] for name in before} == before


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = start(results)
    wait_for(results, 2)
    os.kill(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.strip() == "Interrupted: everything finished is kept; the same command goes on from here."
    assert len(stamps(results)) >= 2
    assert workers_of(results) == []
