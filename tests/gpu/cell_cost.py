"""What a cell costs beyond its evaluation, by attack: all but the time in which a model answers images.

`python tests/gpu/cell_cost.py [--device cuda] [--old ../before]`: a real worker computes each attack on one model that
nobody trained, and the court's job, several times in turn; with `--old` also by the code of that tree. The processor
time of a cell is that of worker and driver from the end of one job to the end of the next. Beyond the evaluation is
what remains without `Running.ask`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmark.data.splits import prepare_splits
from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.progress import JobCounts
from benchmark.execution.scheduler import run_jobs
from benchmark.execution.walls import task_files
from benchmark.planning.job import Job
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.store.records import RecordStore
from benchmark.store.secret import digest_of, store_secret

TRAIN_NOTHING = "none,prune,quantize,jpeg,sign-flip"


@dataclass(frozen=True)
class Cost:
    """Seconds of a cell on the clock and on the processor, and those in which models answered."""

    clock: float
    processor: float
    asked_clock: float
    asked_processor: float

    def __str__(self) -> str:
        beyond = self.clock - self.asked_clock, self.processor - self.asked_processor
        return "{:9.3f}{:10.3f}{:11.3f}".format(*beyond, self.asked_processor)


@click.command(help=__doc__)
@click.option("--profile", default="quick", show_default=True)
@click.option("--architecture", help="in place of the profile's")
@click.option("--scheme", default="adi", show_default=True)
@click.option("--attacks", default=TRAIN_NOTHING, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--rounds", default=5, show_default=True, help="how often each cell is computed; medians are shown")
@click.option("--data-root", type=click.Path(path_type=Path), help="where data sets lie that no package carries")
@click.option("--old", type=click.Path(path_type=Path, exists=True), help="source tree of the code to compare with")
@click.option("--json", "as_json", is_flag=True, help="print the seconds as JSON")
def main(old: Path | None, as_json: bool, data_root: Path | None, rounds: int, device: str, **what: Any) -> None:
    if data_root is not None:
        os.environ[DATA_ROOT] = str(data_root.resolve())
    found = _measured(device, rounds, **what)
    if as_json:
        print(json.dumps({attack: asdict(cost) for attack, cost in found.items()}))
        return
    print(f"{'seconds beyond the evaluation':<40}{'clock':>9}{'processor':>10}{'evaluation':>11}")
    rows = [("now", found), *([("before", _measured_in(old.resolve()))] if old else [])]
    for attack in found:
        print(attack)
        for name, costs in rows:
            print(f"  {name:<38}{costs[attack]}")


def _measured_in(tree: Path) -> dict[str, Cost]:
    """What this command finds with the same options in the code of another tree."""
    at = sys.argv.index("--old")
    words = [sys.executable, __file__, *sys.argv[1:at], *sys.argv[at + 2 :], "--json"]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(tree)}, check=True, stdout=-1, text=True)
    return {attack: Cost(**cost) for attack, cost in json.loads(done.stdout.splitlines()[-1]).items()}


def _measured(
    device: str, rounds: int, profile: str, architecture: str | None, scheme: str, attacks: str
) -> dict[str, Cost]:
    """The median cost of a cell, by the label of its attacked job."""
    registry, chosen = Registry.discover(), load_profile(profile).with_options(seeds=1)
    chosen = replace(chosen, architecture=architecture or chosen.architecture)
    prepare_splits(find_task(chosen.task))
    with tempfile.TemporaryDirectory() as folder:
        store = RecordStore(Path(folder))
        rows = select_schemes(scheme, registry), select_attacks(attacks, registry)
        jobs = make_plan(chosen, *rows, {}, secret=digest_of(store_secret(store.root))).jobs
        cells, needed = _cells(jobs)
        context = {"root": folder, "device": device, "data": task_files([chosen.task])}
        with LocalExecutor(1, context, "timed_jobs:execute") as executor:
            run_jobs(needed, store, executor, JobCounts())
            given = {job.id: (store.read(job.id) or {"result": {}})["result"].get("artefacts", {}) for job in needed}
            worker = _Worker(executor, given)
            costs = [[worker.cost_of(cell) for cell in cells] for _ in range(rounds + 1)][1:]  # the first warms up
    return {cell[0].label: _typical(seen) for cell, seen in zip(cells, zip(*costs, strict=True), strict=True)}


def _cells(jobs: Sequence[Job]) -> tuple[list[tuple[Job, Job]], list[Job]]:
    """What is measured, an attacked model and its court's job, and all jobs that these need, parents first."""
    marked = next(job.id for job in jobs if job.kind == "marked")
    courts = {tuple(job.payload["suspects"]): job for job in jobs if job.kind == "judged"}
    cells = [(job, courts[job.id,]) for job in jobs if job.kind == "attacked" and job.payload["target"] == marked]
    needed = {job.id for cell in cells for job in cell}
    for job in reversed(jobs):
        needed |= {*job.parents} if job.id in needed else set()
    return cells, [job for job in jobs if job.id in needed]


class _Worker:
    """One slot of an executor, and what its processes had computed by the end of the last job.

    given: what the finished jobs left, by id.
    """

    def __init__(self, executor: LocalExecutor, given: Mapping[str, Mapping[str, str]]) -> None:
        self.executor, self.given = executor, given
        self.computed: dict[int, float] = {}

    def cost_of(self, cell: Sequence[Job]) -> Cost:
        began, driver = time.perf_counter(), time.process_time()
        runs = [self._run(job) for job in cell]
        clock, processor = time.perf_counter() - began, time.process_time() - driver
        steps = [run[name] for run in runs for name in run if name.startswith("timed ")]
        for step in steps:
            processor += step["computed"] - self.computed.get(step["process"], 0.0)
            self.computed[step["process"]] = step["computed"]
        return Cost(clock, processor, *(sum(step["asked"][name] for step in steps) for name in ("clock", "processor")))

    def _run(self, job: Job) -> dict[str, Any]:
        self.executor.submit(replace(job, given={one: self.given[one] for one in job.parents}), 1)
        while not (ended := self.executor.wait(1.0)):
            pass
        if ended[0].status != "ok":
            raise SystemExit(f"{job.label}: {ended[0].reason}")
        return ended[0].run


def _typical(costs: Sequence[Cost]) -> Cost:
    return Cost(**{name: median(getattr(one, name) for one in costs) for name in asdict(costs[0])})


if __name__ == "__main__":
    main()
