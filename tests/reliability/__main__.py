"""Make the table of docs/reliability.md: `python tests/reliability --kills 200`, on an idle machine."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import faults
from faults import Row

HEAD = "| fault | times tried | lost | damaged | time to continue |\n| --- | ---: | ---: | ---: | ---: |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often the driver is killed; other faults fewer")
    parser.add_argument("--toy", action="store_true", help="of toy jobs, in place of `bench run`")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(HEAD, flush=True)
        for row in rows(Path(folder), faults.TOY if asked.toy else faults.SMALL, asked.kills, toy=asked.toy):
            print(row, flush=True)


def rows(root: Path, plan: faults.Plan, kills: int, *, toy: bool) -> Iterator[Row]:
    some = max(1, kills // 10)
    plan.finish(root / "whole")
    reference = faults.results(plan.store(root / "whole"))

    def hit(fault: str, times: int, how: faults.Hit) -> Row:
        return faults.interrupted(plan, reference, root / fault.replace(" ", "-"), fault, times, how)

    yield hit("SIGKILL of the run", kills, faults.kill)
    yield faults.two_runs(plan, reference, root, min(3, some))
    if toy:
        return
    yield hit("SIGTERM", some, faults.send(signal.SIGTERM))
    yield hit("SIGHUP", some, faults.send(signal.SIGHUP))
    yield hit("SIGKILL of a worker", some, faults.kill_a_worker)
    yield faults.flipped(plan, root / "whole", root, kills)
    yield faults.under(plan, reference, root, "a memory limit of 300 MB", "--memory", "300")
    yield faults.closed_output(plan, reference, root)
    if os.geteuid() == 0:
        yield faults.on_a_disk(plan, reference, root, "a full disk", (20, 200, 800), (0, 2, 3))
        yield faults.on_a_disk(plan, reference, root, "a store that can only be read", (None,) * 3, (2,))


if __name__ == "__main__":
    main()
