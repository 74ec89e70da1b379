"""What isolation costs: the same run in an old source tree and in this one, and here with all attacks as strangers.

`python tests/hostile/isolation_cost.py --old ../before`. The third run names every built-in attack's file by
`--plugin`, so that none of them is trusted. Each run starts on an empty results folder; nothing else should run on the
machine.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-c", "from benchmark.cli import main; main()")
ENDED = (0, 3)  # every cell has a verdict; or some crashed, or ran out of time


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of all processes on the processor."""

    clock: float
    processor: float


def adopt_orphans() -> None:
    """Have processes whose parent ended waited for here, so that their time is counted too. On Linux alone."""
    if sys.platform == "linux":
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1)


def measure(tree: Path, options: Sequence[str], plugins: Sequence[Path] = ()) -> Cost:
    """`bench run` by the code of `tree`; raises SystemExit with its output where it did not come to an end."""
    with tempfile.TemporaryDirectory() as folder:
        given = [word for path in plugins for word in ("--plugin", str(path))]
        words = [*COMMAND, "run", *options, *given, "--results", folder]
        path = os.pathsep.join([str(tree), *filter(None, [os.environ.get("PYTHONPATH")])])
        start, used = time.perf_counter(), _processor()
        done = subprocess.run(
            words, cwd=tree, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
        clock = time.perf_counter() - start
        if done.returncode not in ENDED:
            raise SystemExit(f"the run of {tree} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        _wait_for_orphans()
        return Cost(clock, _processor() - used)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wait_for_orphans() -> None:
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/hostile/isolation_cost.py", description=__doc__)
    parser.add_argument("--old", type=Path, required=True, help="source tree of the code to compare with")
    parser.add_argument("--profile", default="quick", help="of the run (default: quick)")
    parser.add_argument("--schemes", default="all", help="of the run (default: all)")
    parser.add_argument("--attacks", default="grid", help="of the run (default: grid)")
    parser.add_argument("--workers", default=str(os.cpu_count() or 1), help="jobs at a time (default: one a core)")
    given = parser.parse_args()
    run = ["--profile", given.profile, "--schemes", given.schemes, "--attacks", given.attacks, "--seeds", "1"]
    run += ["--workers", given.workers, "--device", "cpu"]
    attacks = [path for path in sorted((HERE / "attacks").glob("*.py")) if path.name != "__init__.py"]
    adopt_orphans()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)  # off the disk before anything is measured
    print(f"{'seconds':<30}{'clock':>9}{'ratio':>7}{'processor':>11}{'ratio':>7}", flush=True)
    old = _row("old code", measure(given.old.resolve(), run), None)
    _row("new code", measure(HERE, run), old)
    _row("new code, attacks untrusted", measure(HERE, run, attacks), old)


def _row(name: str, cost: Cost, old: Cost | None) -> Cost:
    ratios = (cost.clock / old.clock, cost.processor / old.processor) if old else (1.0, 1.0)
    print(f"{name:<30}{cost.clock:9.1f}{ratios[0]:7.2f}{cost.processor:11.1f}{ratios[1]:7.2f}", flush=True)
    return cost


if __name__ == "__main__":
    main()
