"""What a cell costs beyond its evaluation, by attack: all but the time in which a model answers images.

`python tests/gpu/cell_cost.py [--device cuda] [--old ../before]`: each attack on one marked model, its job and the
court's, several times in turn by one real worker, in the code of `--old` too where one is given. A cell's processor
time is that of its worker and of the driver, from the end of one job to the end of the next; its time on the clock goes
from the order to the outcome. Beyond the evaluation is what remains without `Running.ask`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import click

HERE = Path(__file__).resolve().parents[2]
TRAIN_NOTHING = "none,prune,quantize,jpeg,sign-flip"


@dataclass(frozen=True)
class Cost:
    """Seconds: of the whole cell, and in which the models answered; on the clock and on the processor."""

    clock: float
    asked: float
    processor: float
    asked_processor: float


@click.command(help=__doc__)
@click.option("--profile", default="quick", show_default=True)
@click.option("--scheme", default="adi", show_default=True)
@click.option("--attacks", default=TRAIN_NOTHING, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--epochs", default=1, show_default=True, help="of the models that are attacked")
@click.option("--architecture", help="in place of the profile's")
@click.option("--rounds", default=5, show_default=True, help="how often each cell is computed; medians are shown")
@click.option("--data-root", type=click.Path(path_type=Path), help="where data sets lie that no package carries")
@click.option("--old", type=click.Path(path_type=Path), help="a source tree of the code to compare with")
@click.option("--json", "as_json", is_flag=True, help="print seconds as JSON")
def main(old: Path | None, as_json: bool, data_root: Path | None, **given: str | int | None) -> None:
    if data_root is not None:
        os.environ["BENCH_DATA_ROOT"] = str(data_root.resolve())
    found = measure(**given)  # type: ignore[arg-type]
    if as_json:
        print(json.dumps({attack: asdict(cost) for attack, cost in found.items()}))
        return
    before = _measured_in(old.resolve()) if old else {}
    print(
        f"{'seconds beyond the evaluation':<34}{'clock':>8}{'before':>8}{'processor':>11}{'before':>8}{'evaluation':>12}"
    )
    for attack, cost in found.items():
        was = before.get(attack)
        clock, processor = (f"{one:8.3f}" if was else " " * 8 for one in _beyond(was)) if was else (" " * 8, " " * 8)
        print(
            f"{attack:<34}{_beyond(cost)[0]:8.3f}{clock}{_beyond(cost)[1]:11.3f}{processor}{cost.asked_processor:12.3f}"
        )


def _beyond(cost: Cost) -> tuple[float, float]:
    return cost.clock - cost.asked, cost.processor - cost.asked_processor


def _measured_in(tree: Path) -> dict[str, Cost]:
    """What this command finds in the code of another tree, with the same options."""
    words = [word for word in sys.argv[1:] if word != "--old"]
    at = sys.argv.index("--old")
    words = [*sys.argv[1:at], *sys.argv[at + 2 :], "--json"]
    done = subprocess.run(
        [sys.executable, __file__, *words], env={**os.environ, "PYTHONPATH": str(tree)}, cwd=tree, check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return {attack: Cost(**cost) for attack, cost in json.loads(done.stdout.splitlines()[-1]).items()}


def measure(
    profile: str, scheme: str, attacks: str, device: str, epochs: int, architecture: str | None, rounds: int
) -> dict[str, Cost]:
    """The cost of a cell by the label of its attack."""
    from benchmark.data.splits import prepare_splits
    from benchmark.data.tasks import find_task
    from benchmark.execution.executor import LocalExecutor
    from benchmark.execution.progress import JobCounts
    from benchmark.execution.scheduler import run_jobs
    from benchmark.execution.walls import task_files
    from benchmark.planning.plan import make_plan
    from benchmark.planning.profile import load_profile
    from benchmark.plugins.registry import Registry
    from benchmark.plugins.selection import select_attacks, select_schemes
    from benchmark.store.records import RecordStore
    from benchmark.store.secret import digest_of, store_secret

    registry = Registry.discover()
    asked_for = load_profile(profile).with_options(seeds=1)
    training = replace(asked_for.training, epochs=epochs)
    asked_for = replace(asked_for, training=training, architecture=architecture or asked_for.architecture)
    with tempfile.TemporaryDirectory() as folder:
        store = RecordStore(Path(folder))
        rows = select_schemes(scheme, registry), select_attacks(attacks, registry)
        plan = make_plan(asked_for, *rows, {}, secret=digest_of(store_secret(store.root)))
        prepare_splits(find_task(asked_for.task))
        context = {"root": folder, "device": device, "data": task_files([asked_for.task])}
        jobs = {job.id: job for job in plan.jobs}
        marked = next(job.id for job in plan.jobs if job.kind == "marked")
        cells = [
            (job, next(one for one in plan.jobs if one.kind == "judged" and one.payload["suspects"] == [job.id]))
            for job in plan.jobs
            if job.kind == "attacked" and job.payload["target"] == marked
        ]
        found: dict[str, list[Cost]] = {}
        with LocalExecutor(1, context, "timed_jobs:execute") as executor:
            wanted = [job for cell in cells for job in cell]
            for job in wanted:  # it grows
                wanted += [jobs[one] for one in job.parents if jobs[one] not in wanted]
            run_jobs(wanted[::-1], store, executor, JobCounts())
            given = {job.id: (store.read(job.id) or {"result": {}})["result"].get("artefacts", {}) for job in wanted}
            computed: dict[int, float] = {}
            for _ in range(rounds + 1):
                for cell in cells:
                    began, driver = time.perf_counter(), time.process_time()
                    runs = []
                    for job in cell:
                        executor.submit(replace(job, given={one: given[one] for one in job.parents}), 1)
                        while not (ended := executor.wait(1.0)):
                            pass
                        if ended[0].status != "ok":
                            raise SystemExit(f"{job.label}: {ended[0].reason}")
                        runs.append(ended[0].run)
                    clock, processor = time.perf_counter() - began, time.process_time() - driver
                    timed = [run[name] for run in runs for name in run if name.startswith("timed ")]
                    for one in timed:
                        processor += one["computed"] - computed.get(one["process"], one["computed"])
                        computed[one["process"]] = one["computed"]
                    asked, asked_processor = (sum(one["asked"][n] for one in timed) for n in ("seconds", "cpu_seconds"))
                    label = cell[0].label
                    found.setdefault(label, []).append(Cost(clock, asked, processor, asked_processor))
    return {label: _typical(costs[1:]) for label, costs in found.items()}


def _typical(costs: Sequence[Cost]) -> Cost:
    return Cost(**{name: median(getattr(one, name) for one in costs) for name in asdict(costs[0])})


if __name__ == "__main__":
    main()
