"""Make the table of docs/reliability.md: `python tests/reliability`. Root alone can try what befalls a disk."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from reliability import faults
from reliability.disks import on_a_disk
from reliability.faults import BITS
from reliability.plans import HUNGRY, SMALL, TOY, Plan, begun, results
from reliability.strikes import KILL, KILL_A_WORKER, interrupted, send, side_by_side
from reliability.toll import HEAD, Row

FEW = 3  # tries of what takes a whole run or more
STORES = 4  # of toy jobs beside each other
NULLS = 12  # of 17
MEMORY = 256  # MB, beyond what a worker has imported


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often a run of toy jobs is killed")
    parser.add_argument("--bench-kills", type=int, default=20, help="how often `bench run` is killed")
    parser.add_argument("--only", default="", help="the faults whose name has this in it, such as disk")
    asked = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also under nohup: the runs inherit it, and one of them is hung up on
    with tempfile.TemporaryDirectory() as folder:
        print(HEAD, flush=True)
        for fault, tried in trials(Path(folder), asked.kills, asked.bench_kills):
            if asked.only in fault:
                print(tried(fault), flush=True)


def trials(root: Path, kills: int, bench_kills: int) -> Iterator[tuple[str, Callable[[str], Row]]]:
    """Every fault by its name in the table, and what tries it."""
    folders = (root / str(number) for number in count())

    @cache
    def whole(plan: Plan) -> Path:
        plan.finish(folder := next(folders))
        return folder

    @cache
    def late(plan: Plan) -> Plan:
        """The rest of a run that has most of its unmarked models, which are alike: there, faults meet all kinds."""
        return replace(plan, head=begun(whole(SMALL), next(folders), NULLS))

    def tried(plan: Plan, what: Callable[..., Row], *more: object) -> Callable[[str], Row]:
        def row(fault: str) -> Row:
            one = plan if plan is TOY else late(plan)
            (own := next(folders)).mkdir()
            return what(one, results(one.store(whole(one))), own, fault, *more)

        return row

    yield "SIGKILL of a run of toy jobs", tried(TOY, side_by_side, kills, KILL, STORES)
    yield "two runs of toy jobs on one store", tried(TOY, faults.two_runs, FEW)
    yield "SIGKILL of `bench run`", tried(SMALL, interrupted, bench_kills, KILL)
    yield "two runs on one store", tried(SMALL, faults.two_runs, FEW)
    yield "SIGTERM", tried(SMALL, interrupted, FEW, send(signal.SIGTERM))
    yield "SIGHUP", tried(SMALL, interrupted, FEW, send(signal.SIGHUP))
    yield "SIGKILL of a worker", tried(SMALL, interrupted, FEW, KILL_A_WORKER)
    yield f"{BITS} flipped bits in the store", tried(SMALL, faults.flipped, FEW)
    yield f"a memory limit of {MEMORY} MB", tried(HUNGRY, faults.short_of_memory, FEW, MEMORY)
    yield "a closed output", tried(SMALL, faults.closed_output, FEW)
    if os.geteuid() == 0:
        yield "a full disk", tried(SMALL, on_a_disk, (20, 200, 800), (0, 2, 3))
        yield "a store that can only be read", tried(SMALL, on_a_disk, (None,) * 3, (2,))


if __name__ == "__main__":
    main()
