"""Make the table of docs/reliability.md: `python tests/reliability --kills 200`, on an idle machine."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import faults
from faults import Row

HEAD = "| fault | times tried | lost | damaged | time to continue |\n| --- | ---: | ---: | ---: | ---: |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often the driver is killed; other faults fewer")
    parser.add_argument("--toy", action="store_true", help="of toy jobs, in place of `bench run`")
    parser.add_argument("--only", default="", help="the faults whose name has this in it, such as disk")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(HEAD, flush=True)
        for fault, tried in trials(Path(folder), faults.TOY if asked.toy else faults.SMALL, asked.kills, asked.toy):
            if asked.only in fault:
                print(tried(fault), flush=True)


def trials(root: Path, plan: faults.Plan, kills: int, toy: bool) -> Iterator[tuple[str, Callable[[str], Row]]]:
    """Every fault by its name in the table, and what tries it."""
    some = max(1, kills // 10)
    plan.finish(root / "whole")
    reference = faults.results(plan.store(root / "whole"))

    def hit(times: int, how: faults.Hit) -> Callable[[str], Row]:
        return lambda fault: faults.interrupted(plan, reference, root / fault.replace(" ", "-"), fault, times, how)

    def disk(rooms: Sequence[int | None], ends: Collection[int]) -> Callable[[str], Row]:
        return lambda fault: faults.on_a_disk(plan, reference, root, fault, rooms, ends)

    yield "SIGKILL of the run", hit(kills, faults.kill)
    yield "two runs on one store", lambda fault: faults.two_runs(plan, reference, root, fault, min(3, some))
    if toy:
        return
    yield "SIGTERM", hit(some, faults.send(signal.SIGTERM))
    yield "SIGHUP", hit(some, faults.send(signal.SIGHUP))
    yield "SIGKILL of a worker", hit(some, faults.kill_a_worker)
    yield "a flipped bit in the store", lambda fault: faults.flipped(plan, root / "whole", root, fault, kills)
    memory = ("--memory", "300")
    yield "a memory limit of 300 MB", lambda fault: faults.under(plan, reference, root, fault, *memory)
    yield "a closed output", lambda fault: faults.closed_output(plan, reference, root, fault)
    if os.geteuid() == 0:
        yield "a full disk", disk((20, 200, 800), (0, 2, 3))
        yield "a store that can only be read", disk((None,) * 3, (2,))


if __name__ == "__main__":
    main()
