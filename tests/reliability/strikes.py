"""A run that is struck while it works, by a signal to it or to one of its processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability.plans import LOOKS, Plan, finished, stamps
from reliability.toll import Row

from benchmark.store.records import RecordStore

LEAST = 2  # finished records without which no fault strikes: there would be nothing to lose
AFTERWARDS = 0.3  # seconds that the processes of a run have to end after it


@dataclass(frozen=True)
class Strike:
    """hit: what is done to a run, given its store. own: how many records the run must have written itself by then: one
    of these numbers, drawn for each try. A run spends its first seconds on imports, when there is nothing to break."""

    hit: Callable[[subprocess.Popen[str], RecordStore], object]
    own: tuple[int, ...]


def interrupted(
    plan: Plan, reference: dict[str, Any], root: Path, fault: str, times: int, strike: Strike, seed: int = 0
) -> Row:
    """Start, strike at a random moment, look; again and again, in a new folder whenever the plan is finished."""
    row, dice, number = Row(fault), random.Random(times + 1000 * seed), 0
    while row.tried < times:
        folder = root / str(number)
        store = plan.store(folder)
        held = finished(store)
        run = plan.start(folder)
        waits = until(run, store, dice.uniform(0.1, plan.seconds), dice.choice(strike.own))
        row.waits += waits if held else []
        before = finished(store)
        if run.poll() is None:
            strike.hit(run, store)
            row.struck(before)
        run.communicate(timeout=600)
        time.sleep(AFTERWARDS if run.returncode else 0)
        row.compare(held | before, store)
        if run.returncode == 0:
            row.compare_end(store, reference)
            number += 1
    plan.finish(folder)
    row.compare_end(store, reference)
    return row


def side_by_side(
    plan: Plan, reference: dict[str, Any], root: Path, fault: str, times: int, strike: Strike, stores: int
) -> Row:
    """`interrupted` on so many stores at once, each with moments of its own: for toy jobs, which sleep."""

    def one(seed: int) -> Row:
        mine = times // stores + (seed < times % stores)
        return interrupted(plan, reference, root / str(seed), fault, mine, strike, seed)

    row = Row(fault)
    with ThreadPoolExecutor(stores) as pool:
        for each in pool.map(one, range(stores)):
            row.add(each)
    return row


def until(run: subprocess.Popen[str], store: RecordStore, moment: float, own: int = 0) -> list[float]:
    """Wait for a moment at which enough is finished, or for the run's end; how long it took to its first record."""
    began, held, waits = time.monotonic(), stamps(store), []
    while run.poll() is None:
        now = stamps(store)
        written = sum(held.get(name) != stamp for name, stamp in now.items())
        if written and not waits:
            waits = [time.monotonic() - began]
        if (
            time.monotonic() >= began + moment
            and written >= own
            and len(now) >= LEAST
            and len(finished(store)) >= LEAST
        ):
            break
        time.sleep(LOOKS)
    return waits


def kill(run: subprocess.Popen[str], store: RecordStore) -> None:
    os.killpg(run.pid, signal.SIGKILL)


def send(sign: signal.Signals) -> Strike:
    """A signal to the driver, which has to end by it."""

    def hit(run: subprocess.Popen[str], store: RecordStore) -> None:
        run.send_signal(sign)
        assert run.wait(timeout=60) == 128 + sign, run.returncode

    return Strike(hit, (LEAST,))


def kill_a_worker(run: subprocess.Popen[str], store: RecordStore) -> None:
    """The run goes on, and leaves at most the job that was hit to the next one."""
    worker = random.Random(run.pid).choice(workers(store))
    os.kill(worker, signal.SIGKILL)
    assert run.wait(timeout=600) in (0, 3), run.returncode


def workers(store: RecordStore) -> list[int]:
    """The processes that write to a worker's log of this store; there are some while a run works."""
    found = [int(process.name) for process in Path("/proc").glob("[0-9]*") if _works_for(process, store)]
    assert found, "no worker was found"
    return found


def _works_for(process: Path, store: RecordStore) -> bool:
    logs = (store.root / "logs").resolve()
    try:
        open_files = [Path(os.readlink(entry)) for entry in (process / "fd").iterdir()]
    except OSError:
        return False
    return any(path.parent == logs and path.name != "zygote.log" for path in open_files)


KILL, KILL_A_WORKER = Strike(kill, (0, 1, 4)), Strike(kill_a_worker, (LEAST,))
