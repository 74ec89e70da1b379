"""A run that was stopped goes on where it stopped, and ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bench import COMMAND, arguments, bench_here, records, stamps
from reliability.faults import flip, two_runs
from reliability.plans import TOY, begun
from reliability.plans import finished as finished_in
from reliability.plans import results as outcomes
from reliability.strikes import KILL, LEAST, side_by_side
from reliability.toll import Row

SENTENCE = "Interrupted: everything finished is kept; the same command goes on from here."
ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def hangup() -> Iterator[None]:
    """SIGHUP as a shell leaves it, also where these tests run under nohup: what they start inherits that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


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
    """From the last unmarked models on, so that every kind of job is hit."""
    results, dice = begun(finished, tmp_path / "results", 12), random.Random(7)
    for goal in (14, 20, 26):
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
    assert 14 <= len(before) < len(records(finished))
    code, _, error = bench_here(*arguments(results))
    assert code == 0, error
    assert records(results) == records(finished)
    assert {name: stamps(results)[name] for name in before} == before


@pytest.mark.parametrize("sign", ENDS)
def test_a_signal_to_end_keeps_what_is_finished(tmp_path: Path, sign: signal.Signals) -> None:
    results = tmp_path / "results"
    run = start(results)
    wait_for(results, 2)
    os.kill(run.pid, sign)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == ENDS[sign]
    assert errors.strip() == SENTENCE
    assert len(stamps(results)) >= 2
    assert workers_of(results) == []


PLANNING = """
import os, sys, time
from benchmark.app import planned_run
from benchmark.cli import main

def plan_run(*arguments, **more):
    os.kill(os.getpid(), int(os.environ["SIGN"]))
    time.sleep(60)

planned_run.plan_run = plan_run
main()
"""


@pytest.mark.parametrize("sign", ENDS)
def test_so_does_one_that_comes_while_the_run_is_planned(tmp_path: Path, sign: signal.Signals) -> None:
    words = [COMMAND[0], "-c", PLANNING, *arguments(tmp_path / "results")]
    environment = os.environ | {"SIGN": str(int(sign))}
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (done.returncode, done.stderr.strip()) == (ENDS[sign], SENTENCE)


def ignores_hangup(pid: int) -> bool:
    (ignored,) = re.findall(r"^SigIgn:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(ignored, 16) >> (signal.SIGHUP - 1) & 1)


def test_nohup_keeps_a_run_that_its_terminal_leaves(finished: Path, tmp_path: Path) -> None:
    words = ["nohup", *COMMAND, "store", "verify", "--results", str(finished)]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not ignores_hangup(run.pid) and time.monotonic() < deadline:
        time.sleep(0.01)  # nohup itself needs a moment before it may be hung up on
    for _ in range(20):
        os.kill(run.pid, signal.SIGHUP)
        time.sleep(0.02)
    output, _ = run.communicate(timeout=60)
    assert run.returncode in (0, 4), output


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a finished run of toy jobs."""
    folder = tmp_path_factory.mktemp("toys") / "whole"
    TOY.finish(folder)
    return folder


def test_sixty_kills_and_two_runs_at_once(toys: Path, tmp_path: Path) -> None:
    reference = outcomes(TOY.store(toys))
    assert len(reference) == 45
    with ThreadPoolExecutor(1) as pool:  # toy jobs sleep, so that stores beside each other take no longer than one
        two = pool.submit(two_runs, TOY, reference, tmp_path / "two", "two runs", 1)
        killed = side_by_side(TOY, reference, tmp_path / "killed", "SIGKILL", 60, KILL, 6)
    assert [(row.tried, row.lost, row.damaged) for row in (killed, two.result())] == [(60, 0, 0), (1, 0, 0)]
    assert killed.at_stake >= 60 * LEAST
    assert two.result().at_stake == 45


def test_what_is_lost_or_damaged_counts(toys: Path, tmp_path: Path) -> None:
    store, reference = TOY.store(shutil.copytree(toys, tmp_path / "toys")), outcomes(TOY.store(toys))
    before = finished_in(store)
    gone, again, changed, *_ = sorted(reference)
    store.record_path(gone).unlink()
    store.record_path(again).touch()
    model = store.artefact_path(changed, "service")
    model.write_bytes(model.read_bytes()[:-1])
    row = Row("nothing that has a name")
    row.struck(before)
    row.compare(before, store)
    assert (row.at_stake, row.lost, row.damaged) == (45, 2, 1)
    row.compare_end(store, reference)
    assert row.damaged == 2
    with pytest.raises(AssertionError, match="nothing was finished"):
        row.struck({})


class Places(random.Random):
    """Draws what it is told to."""

    def __init__(self, *places: int) -> None:
        super().__init__()
        self.places = iter(places)

    def randrange(self, *bounds: int) -> int:  # type: ignore[override]
        return next(self.places)


def test_a_flipped_bit_is_one_that_changes_what_a_file_says(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    for dice, says in ((Places(1, 5), None), (Places(0, 0), file)):
        file.write_bytes(b"1e5")
        assert flip(file, dice) == says
