"""What isolation costs: the same run in an old source tree and in this one, and here with all attacks as strangers.

`python tests/hostile/isolation_cost.py --old ../before`, where `git worktree add ../before c174c76` is version 0.2.0.
The third run names every built-in attack's file by `--plugin`, so that none of them is trusted. Each run starts on an
empty results folder. Where other programs run on the machine, only processor time can be compared.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmark.plugins.source_reader import read_declarations

HERE = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-c", "from benchmark.cli import main; main()")
SCHEMES = "adi(),rose(),keynet(),passport(),deepmodel()"  # what version 0.2.0 has, too, and means the same by
ATTACKS = (  # so are these; scratch and transfer now do more by default than they did, and had no parameter to say so
    "none(),finetune(mode=ftal),prune(amount=0.5),prune-random(amount=0.1),prune-structured(amount=0.25),"
    "quantize(bits=4),sign-flip(share=0.5),flip(share=0.5),jpeg(quality=75),overwrite(lr=0.02),overwrite-images(),"
    "extract(architecture=house),distill(architecture=house),surrogate(architecture=unet),"
    "fresh-key(),pick-triggers(),redraw-search(),forged-triggers(eps=0.125),forged-head(),false-head(),"
    "accessory-block(),fake1(passports=trained),fake2(lr=0.2),fake3(),fake3-oracle()"
)
SAME = (  # what makes runs alike, given to trees that know the option: 0.2.0 drew no secret, and labels were all there
    ("--secret", str(HERE / "tests" / "support" / "secret.txt")),
    ("--thief-labelled", "all"),
)
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


def strangers() -> list[Path]:
    """The files of all built-in attacks, without those that only help them."""
    return [path for path in sorted((HERE / "attacks").rglob("*.py")) if read_declarations(path, "built-in")]


def measure(tree: Path, options: Sequence[str], plugins: Sequence[Path] = ()) -> Cost:
    """`bench run` by the code of `tree`; raises SystemExit with its output where it did not come to an end."""
    known = _bench(tree, "--help").stdout
    same = [word for pair in SAME if pair[0] in known for word in pair]
    with tempfile.TemporaryDirectory() as folder:
        given = [word for path in plugins for word in ("--plugin", str(path))]
        start, used = time.perf_counter(), _processor()
        done = _bench(tree, *options, *same, *given, "--results", folder)
        clock = time.perf_counter() - start
        if done.returncode not in ENDED:
            raise SystemExit(f"the run of {tree} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        _wait_for_orphans()
        return Cost(clock, _processor() - used)


def _bench(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(tree), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    words = [*COMMAND, "run", *options]
    return subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)


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
    parser.add_argument("--schemes", default=SCHEMES, help="of the run (default: one of each that both know)")
    parser.add_argument("--attacks", default=ATTACKS, help="of the run (default: one of each that both know)")
    parser.add_argument("--workers", default=str(os.cpu_count() or 1), help="jobs at a time (default: one a core)")
    given = parser.parse_args()
    run = ["--profile", given.profile, "--schemes", given.schemes, "--attacks", given.attacks, "--seeds", "1"]
    run += ["--workers", given.workers, "--device", "cpu"]
    adopt_orphans()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)  # off the disk before anything is measured
    print(f"{'seconds':<30}{'clock':>9}{'ratio':>7}{'processor':>11}{'ratio':>7}", flush=True)
    old = _row("old code", measure(given.old.resolve(), run), None)
    _row("new code", measure(HERE, run), old)
    _row("new code, attacks untrusted", measure(HERE, run, strangers()), old)


def _row(name: str, cost: Cost, old: Cost | None) -> Cost:
    ratios = (cost.clock / old.clock, cost.processor / old.processor) if old else (1.0, 1.0)
    print(f"{name:<30}{cost.clock:9.1f}{ratios[0]:7.2f}{cost.processor:11.1f}{ratios[1]:7.2f}", flush=True)
    return cost


if __name__ == "__main__":
    main()
