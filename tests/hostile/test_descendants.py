"""What an attack writes and starts besides returning. It ends with the attack, and reaches nobody else's record."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path

import pytest
from bench import COMMAND, arguments, copied
from hostile_runs import ADI, PLUGINS, VICTIMS, differences, run

PLUGIN = PLUGINS / "descendants.py"


def test_what_it_writes_arrives_where_a_pipe_is_open() -> None:
    """Or the attacks above would prove nothing."""
    ours, theirs = Pipe()
    write = "import descendants; descendants.write_everywhere(b'garbage')"
    with ours, theirs:
        subprocess.run([sys.executable, "-c", write], cwd=PLUGINS, pass_fds=[theirs.fileno()], check=True, timeout=60)
        assert ours.poll(5)
        assert ours.recv_bytes() == b"garbage"


def grandchildren(mark: int) -> list[int]:
    """The processes that `leaves` left."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"-c" in words and f"grandchild-{mark}".encode() in words:
                found.append(int(process.name))
    return found


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


@pytest.fixture(scope="module")
def mark() -> Iterator[int]:
    """A number for the grandchildren of these tests, which end with them whatever comes."""
    if sys.platform != "linux":
        pytest.skip("processes are found in /proc")
    mark = random.SystemRandom().randrange(10**9)
    yield mark
    for pid in grandchildren(mark):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_an_outcome_belongs_to_its_job_and_what_was_started_ends(
    base: Path, clean: Path, tmp_path: Path, mark: int
) -> None:
    """The second outcome was taken for that of the next job, and so on to the last one; garbage ended the run.

    A grandchild in a session of its own outlived the run, and could read and write what it liked ever after.
    """
    results = copied(base, tmp_path)
    run(results, f"leaves(mark={mark}),twice,writes(what=garbage),writes(what=outcome),{VICTIMS}", PLUGIN)
    assert within(5, lambda: not grandchildren(mark))
    assert differences(clean, results) == []


def test_what_an_attack_started_ends_with_the_driver(base: Path, tmp_path: Path, mark: int) -> None:
    """It also outlived a driver that was killed."""
    attacks = f"leaves(mark={mark},seconds=60)"
    words = arguments(copied(base, tmp_path), "--workers", "1", "--plugin", str(PLUGIN), schemes=ADI, attacks=attacks)
    driver = subprocess.Popen([*COMMAND, *words], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        assert within(60, lambda: bool(grandchildren(mark)))
    finally:
        driver.kill()
        driver.wait()
    assert within(10, lambda: not grandchildren(mark))
