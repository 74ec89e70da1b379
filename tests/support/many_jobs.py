"""How long a large plan takes: made by the planner, and run by the scheduler with jobs that end at once.

`python tests/support/many_jobs.py --cells 100000`. The plan is the quick profile's, all schemes against all attacks, at
as many seeds as that takes. No torch is imported.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from benchmark.digest.code_digest import engine_hash
from benchmark.execution.attempt import Finished
from benchmark.execution.progress import JobCounts
from benchmark.execution.scheduler import Summary, run_jobs
from benchmark.planning.job import Job
from benchmark.planning.null_pools import null_attacks
from benchmark.planning.plan import Plan, make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.store.records import RecordStore

T = TypeVar("T")

_MODEL = {"utility": {"correct": "1101"}, "cost": {"steps": 1}, "artefacts": {}}
_SEEN = {"evidence": "hits", "channels": {"hits": {"hits": "1011"}}, "gates": {}, "unreadable": None}
_ADMISSION = {"well_formed": True, "bound": True, "hash_bound": False, "committed": True, "reason": None}
_RAN = {"seconds": 1.0, "peak_memory_mb": 1.0, "device": "none", "hardware": "none", "versions": {}}


class InstantExecutor:
    """What the scheduler asks of an executor, with jobs that end as soon as somebody waits for them.

    slots: how many may run at once. end: how a job ends; by default ok, with the least that its kind finds.
    """

    def __init__(self, slots: int, end: Callable[[Job, int], Finished] | None = None) -> None:
        self.slots = slots
        self.end = end or ends_ok
        self.running: deque[tuple[Job, int]] = deque()
        self.started: list[str] = []  # ids in the order in which they were started

    @property
    def free_slots(self) -> int:
        return self.slots - len(self.running)

    def free_for(self, job: Job, attempt: int = 1) -> bool:
        return self.free_slots > 0 and (attempt == 1 or not self.running)

    def trains(self, job: Job) -> bool:
        return False

    def submit(self, job: Job, attempt: int) -> None:
        self.running.append((job, attempt))
        self.started.append(job.id)

    def wait(self, timeout: float) -> list[Finished]:
        """The job that was started first."""
        return [self.end(*self.running.popleft())] if self.running else []

    def close(self) -> None:
        self.running.clear()


def ends_ok(job: Job, attempt: int) -> Finished:
    """The least that a job of its kind finds."""
    seen = [_SEEN for _ in job.payload.get("suspects", ())]
    found: Mapping[str, Any] = {"observations": seen, "admission": _ADMISSION} if job.kind == "judged" else _MODEL
    return Finished(job, attempt, "ok", result=dict(found), run=dict(_RAN))


def large_plan(cells: int, schemes: str = "all", attacks: str = "grid") -> Plan:
    """The quick profile's plan of at least so many cells, with the seeds that it takes."""
    registry, profile = Registry.discover([]), load_profile("quick")
    rows, columns = select_schemes(schemes, registry), select_attacks(attacks, registry)
    others = null_attacks(profile, rows, registry)
    per_seed = len(make_plan(profile.with_options(seeds=1), rows, columns, others).cells)
    return make_plan(profile.with_options(seeds=-(-cells // per_seed)), rows, columns, others)


def run_at_once(plan: Plan, root: Path, executor: InstantExecutor) -> Summary:
    """The real scheduler and the real store, and an executor whose jobs take no time."""
    return run_jobs(plan.jobs, RecordStore(root), executor, JobCounts())  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/support/many_jobs.py", description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000, help="at least so many cells (default: 10000)")
    parser.add_argument("--run", action="store_true", help="run the plan, too, with jobs that end at once")
    options = parser.parse_args()

    def timed(step: Callable[[], T]) -> tuple[T, str]:
        start = time.perf_counter(), time.process_time()
        found = step()
        clock, busy = time.perf_counter() - start[0], time.process_time() - start[1]
        return found, f"{clock:.2f} s on the clock, {busy:.2f} s of processor time"

    engine_hash()  # once per process, whatever the size of a plan
    before = _most_memory()
    plan, took = timed(lambda: large_plan(options.cells))
    print(f"{len(plan.cells):,} cells and {len(plan.jobs):,} jobs planned in {took}")
    print(f"memory: {_most_memory() - before:.0f} MB beyond the {before:.0f} MB of an empty plan")
    if options.run:
        with tempfile.TemporaryDirectory() as root:
            summary, took = timed(lambda: run_at_once(plan, Path(root), InstantExecutor(8)))
        print(f"{len(summary.statuses):,} jobs scheduled and recorded in {took}")


def _most_memory() -> float:
    """The most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
