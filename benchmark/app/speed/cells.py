"""What a cell costs from end to end, by attack, and what more workers gain: by real workers on a store of its own."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch

from benchmark.app.run_secret import run_secret
from benchmark.app.speed.samples import Figure, timed
from benchmark.architectures.net import Net
from benchmark.data.splits import load
from benchmark.errors import BenchError
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.job_context import context_of
from benchmark.execution.progress import JobCounts
from benchmark.execution.scheduler import run_jobs
from benchmark.execution.walls import task_files
from benchmark.planning.job import Job
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import Profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.protocol.court import Court
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import Party, stream
from benchmark.store.records import Record, RecordStore
from benchmark.store.secret import digest_of

CELL_SCHEME = "adi(epochs=1)"  # its mark need not hold: what a cell costs does not depend on it
UNTRAINED = (
    "none",
    "prune(amount=0.5)",
    "prune-random(amount=0.1)",
    "quantize(bits=8)",
    "jpeg(quality=75)",
    "sign-flip",
)
TRAINED = ("finetune(mode=ftal,epochs=20)",)
CELL_ROUNDS = 3
NULL_SECONDS = 0.5  # of training, about: what a null takes of the batch that several workers share


@dataclass(frozen=True)
class CellCosts:
    """What cells cost. versions: of the packages, as records give them.

    samples: images that an attack pushed forward and back in training, by its label.
    """

    figures: Mapping[str, Figure]
    versions: Mapping[str, str]
    samples: Mapping[str, int]


class _Watch(JobCounts):
    """When each job was handed to a worker, and when its record was written."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[tuple[str, float]] = []
        self.ended = 0.0
        self.records: dict[str, Record] = {}

    def started(self, job: Job) -> None:
        super().started(job)
        self.begun.append((job.id, time.perf_counter()))

    def finished(self, job: Job, record: Record) -> None:
        super().finished(job, record)
        self.ended = time.perf_counter()
        self.records[job.id] = record
        if record["status"] != "ok":
            raise BenchError(
                f"{job.label} ended as {record['status']} ({record['reason']}): see what bench run says of it"
            )

    def spans(self) -> dict[str, float]:
        """Seconds of every job of one worker, until it was given the next one."""
        times = [*self.begun, ("", self.ended)]
        return {id: end - begin for (id, begin), (_, end) in pairwise(times)}


def measure_cells(
    profile: Profile, device: torch.device, pace: float, workers: Sequence[int],
    attacks: Sequence[str] = (*UNTRAINED, *TRAINED), rounds: int = CELL_ROUNDS,
) -> CellCosts:  # fmt: skip
    """Run the cells of one scheme and, where there are several numbers of `workers`, nulls beside them.

    Each number of workers does the same jobs once untimed, and then in `rounds`, in alternation with the others. Nets
    of owners are trained for few epochs, at `pace` images a second for about half a second. `workers` begins with 1,
    by which a cell's cost is taken: from the moment its jobs are handed over until the worker gets the next one.
    Raises BenchError where a job does not end well.
    """
    task = context_of(profile.world(), device).task
    passes = max(1, round(NULL_SECONDS * pace / task.owner))
    profile = replace(profile, training=replace(profile.training, epochs=passes), image=None, seeds=1)
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as folder, ExitStack() as open_until_the_end:
        store = RecordStore(Path(folder) / "store")
        jobs, batch = _batch(profile, attacks, 2 * max(workers) if len(workers) > 1 else 0, store)
        machine = {"root": str(store.root), "device": str(device), "data": task_files([task.name])}
        crews = {n: open_until_the_end.enter_context(LocalExecutor(n, machine)) for n in workers}
        watches: dict[int, list[_Watch]] = defaultdict(list)
        for _ in range(1 + rounds):
            for n, crew in crews.items():
                watches[n].append(watch := _Watch())
                run_jobs(jobs, store, crew, watch, set(batch) & {job.id for job in jobs if store.finished(job.id)})
    walls = {n: [one.ended - one.begun[0][1] for one in several[1:]] for n, several in watches.items()}
    last = watches[1][-1].records
    found = {label: last[id] for id, label in batch.items() if label and last[id]["kind"] == "attacked"}
    samples = {label: record["result"]["cost"]["samples"] for label, record in found.items()}
    figures = _costs(batch, watches[1][1:], samples, _evaluation(profile, device)) | scaling(walls)
    return CellCosts(figures, next(iter(found.values()))["run"]["versions"], samples)


def _batch(
    profile: Profile, attacks: Sequence[str], nulls: int, store: RecordStore
) -> tuple[list[Job], dict[str, str]]:
    """Jobs with all that they need, and of them those to be timed: by id, the attack whose cell it is, or ""."""
    registry = Registry.discover(())
    schemes, chosen = select_schemes(CELL_SCHEME, registry), select_attacks(",".join(attacks), registry)
    plan = make_plan(profile, schemes, chosen, {}, secret=digest_of(run_secret(store.root)))
    batch = {
        cell.jobs[role]: cell.attack
        for cell in plan.cells if not cell.innocent for role in ("attacked", "judged")
    }  # fmt: skip
    batch |= {job.id: "" for job in [job for job in plan.jobs if job.kind == "null"][:nulls]}
    return _with_parents(plan.jobs, batch), batch


def _with_parents(jobs: Sequence[Job], wanted: Collection[str]) -> list[Job]:
    """The wanted jobs and all that they are made from; `jobs` has parents before children, as the answer does."""
    needed = set(wanted)
    for job in reversed(jobs):
        if job.id in needed:
            needed.update(job.parents)
    return [job for job in jobs if job.id in needed]


def _costs(
    batch: Mapping[str, str], rounds: Sequence[_Watch], samples: Mapping[str, int], evaluation: list[float]
) -> dict[str, Figure]:
    """Seconds of each attack's cell, by the clock and of the worker's processor time.

    Where nothing is trained, also how many of those by the clock are more than answering the judge's images once takes.
    """
    answering = Figure.of(evaluation, "s")
    figures = {"answering the judge's images once": answering}
    for attack in dict.fromkeys(filter(None, batch.values())):
        ids, cell = [id for id, one in batch.items() if one == attack], f"cell of {attack}"
        seconds = [sum(spans[id] for id in ids) for spans in (watch.spans() for watch in rounds)]
        worked = [sum(watch.records[id]["run"]["cpu_seconds"] for id in ids) for watch in rounds]
        figures[cell] = Figure.of(seconds, "s")
        figures[f"{cell}, processor time"] = Figure.of(worked, "s")
        if not samples[attack]:
            figures[f"{cell}, beyond answering"] = Figure.of([one - answering.value for one in seconds], "s")
    return figures


def scaling(walls: Mapping[int, Sequence[float]]) -> dict[str, Figure]:
    """Seconds of the same batch by each number of workers, and by how much each is faster than one."""
    if len(walls) == 1:
        return {}
    figures = {f"the same jobs, {n} at a time": Figure.of(seconds, "s") for n, seconds in walls.items()}
    for n in [n for n in walls if n > 1]:
        gains = [alone / together for alone, together in zip(walls[1], walls[n], strict=True)]
        figures[f"gain of {n} workers over 1"] = Figure.of(gains, "x")
    return figures


def _evaluation(profile: Profile, device: torch.device, times: int = 5) -> list[float]:
    """The seconds in which the court has a fresh house net answer the judge's images, after a first time."""
    context = context_of(profile.world(), device)
    splits = load(context.task)
    party = Party(context, splits.owner, torch.Generator().manual_seed(0))
    running = Service(Net.of(party.build())).running(device)
    court = Court(context, splits.test.to(device), stream("answers", context.task.name))
    answer = partial(court.answers, running)
    return [timed(answer, device) for _ in range(1 + times)][1:]
