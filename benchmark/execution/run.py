"""Carrying out a plan: run file, workers, records. The pages are made from what this leaves."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmark.data.own_images import is_own
from benchmark.errors import BenchError
from benchmark.execution.attempt import Executor
from benchmark.execution.doctor import check_environment
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.placement import host
from benchmark.execution.placement.placement import place_jobs
from benchmark.execution.processes.import_check import import_faults
from benchmark.execution.processes.lease import Zygote
from benchmark.execution.progress import note, progress_for
from benchmark.execution.run_file import keep_other_board, write_run_file
from benchmark.execution.scheduler import Summary, anything_to_do, run_jobs
from benchmark.execution.walls import FOLDERS, close_keys, task_files, walls
from benchmark.planning.job import Job
from benchmark.store.records import RecordStore
from benchmark.store.run_description import RunDescription
from benchmark.store.verify import whole

STORE = "store"  # the folder of records and artefacts, shared by every run under one results folder


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster whose nodes run the jobs in place of this machine.

    address: HOST:PORT of its head; None: the one that this machine belongs to, or else one of its own. workers: on each
    node; None: one for each CPU, but at most six for each GPU where a node has any.
    """

    address: str | None
    workers: int | None


@dataclass(frozen=True)
class Machine:
    """Where a plan runs; nothing here enters a result's name.

    Raises BenchError for a name that is no folder's.

    run: the folder of the pages, below `results`. workers: jobs at a time, None for as many as the machine carries.
    device: auto, cpu, cuda (every GPU) or cuda:N. memory: MB that each worker may take. hidden: files that no code of
    others may read, such as the secret that the run was given. cluster: None where this machine runs the jobs itself.
    """

    results: Path
    run: str
    workers: int | None = None
    device: str = "auto"
    memory: int | None = None
    hidden: tuple[Path, ...] = ()
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
        if not self.run or self.run in (".", "..", STORE) or "/" in self.run:
            raise BenchError(f"--run {self.run!r} can't name a folder of results: use letters, digits, - and _")
        if any("\ud800" <= letter <= "\udfff" for letter in str(self.results.absolute())):
            reason = "has letters that this Python can't read"
            raise BenchError(f"--results {self.results} {reason}: set PYTHONUTF8=1, or choose another folder")
        if self.workers is not None and self.workers < 1:
            raise BenchError(f"--workers must be at least 1, not {self.workers}")

    @property
    def jobs_at_a_time(self) -> int | None:
        """How many jobs run at a time at most; None where the nodes of a cluster decide.

        Raises BenchError for more workers than memory holds.
        """
        return None if self.cluster else host.workers(self.workers, self.memory)

    @property
    def folder(self) -> Path:
        return self.results / self.run

    @property
    def store(self) -> RecordStore:
        return RecordStore(self.results / STORE)

    @contextmanager
    def lock(self, console: Console) -> Iterator[None]:
        """Hold the store, from the first job to the last page; says so where another run has to end first."""
        with self.store.lock(partial(note, console)):
            yield


def carry_out(
    jobs: Sequence[Job],
    machine: Machine,
    console: Console,
    described: RunDescription | None = None,
    *,
    fresh: bool = False,
    retry: Sequence[str] = (),
) -> Summary:
    """Run the jobs that have no final record, and write `described`, if they are a run's, as its run file.

    `fresh` runs all of them anew, `retry` those whose records have these statuses, or are "damaged": an artefact is not
    what was written. A record is replaced when the new one is there. The caller holds `machine.lock()`.
    """
    store = machine.store
    again = {job.id for job in jobs if _repeat(job, store, fresh, retry)}
    context: dict[str, Any] = {"root": str(store.root.absolute())}
    context |= {"device": machine.device, "memory_mb": machine.memory}
    context["hidden"] = list(map(str, machine.hidden))
    to_do = bool(again) or anything_to_do(jobs, store)
    if to_do:
        check_environment("auto" if machine.cluster else machine.device)
        try:
            close_keys(store.root)
        except OSError as error:
            reason = f"can't be closed to others ({error.strerror}): make it yours, or choose another --results"
            raise BenchError(f"{error.filename} {reason}") from error
        context["data"] = task_files(job.payload["world"]["task"] for job in jobs)
    try:
        with _executor(machine, context, jobs, console, to_do) as executor:
            if to_do:
                left = [job for job in jobs if job.id in again or not store.finished(job.id)]
                _import_plugins(left, context, executor)
            if described is not None:
                if kept := keep_other_board(machine.folder, described):
                    note(console, f"{machine.folder} held the board of another selection, which is now in {kept}")
                write_run_file(machine.folder, described)
            for path, reason in store.damaged:
                note(console, f"{path}: {reason}; it is set aside and will be made again")
            with progress_for(console) as progress:
                return run_jobs(jobs, store, executor, progress, again)
    finally:
        if again:
            note(console, f"{len(again)} jobs were not made anew: their earlier records stay, and count until they are")


def _executor(
    machine: Machine, context: Mapping[str, Any], jobs: Sequence[Job], console: Console, to_do: bool
) -> Executor:
    """What carries out the jobs; where nothing is `to_do`, no device or cluster is asked for. Raises BenchError."""
    if not to_do:
        return LocalExecutor(1, context)
    if machine.cluster:
        return _on_cluster(machine.cluster, context, jobs, console)
    placement = place_jobs(machine.device, machine.workers, machine.memory, machine.store.root)
    return LocalExecutor(len(placement.devices), context, placement=placement)


def _import_plugins(jobs: Sequence[Job], context: Mapping[str, Any], executor: Executor) -> None:
    """Import every plug-in of somebody else's that these jobs need, each in a process where nothing can be read.

    What makes house nets was looked at when the plan was made (`benchmark.execution.processes.host_check`).

    Raises BenchError, a sentence for each that can't be used: before the first job, and not when its turn comes.
    """
    sources = {source for job in jobs for source in job.sources.values() if not (source.trusted or source.builder)}
    if not sources:
        return
    root = Path(context["root"])
    logs = root / "logs"
    logs.mkdir(FOLDERS["logs"], parents=True, exist_ok=True)
    around = walls("suspect", root, context["data"], None, hidden=map(Path, context["hidden"]))
    zygote = executor.zygote if isinstance(executor, LocalExecutor) else Zygote([__name__], logs / "zygote.log")
    try:
        ordered = sorted(sources, key=lambda one: (one.path, one.class_name))
        faults = list(import_faults(zygote, ordered, logs / "imports.log", around))
    finally:
        if not isinstance(executor, LocalExecutor):
            zygote.close()
    if faults:
        raise BenchError("\n".join(faults))


def _on_cluster(cluster: Cluster, context: Mapping[str, Any], jobs: Sequence[Job], console: Console) -> Executor:
    """Raises BenchError where Ray is missing, its cluster can't be used, or the device or images are this machine's."""
    if importlib.util.find_spec("ray") is None:
        raise BenchError("--executor ray needs Ray, which is not installed: pip install 'watermark-bench[ray]'")
    if (device := context["device"]).startswith("cuda:"):
        raise BenchError(
            f"--device {device} names a GPU of this machine: with --executor ray use --device cuda, which is every GPU "
            "of every node"
        )
    if own := next((task for task in context["data"] if is_own(task)), None):
        raise BenchError(
            f"task {own}: folders of your own pictures can't be sent to other machines: leave --executor out"
        )
    if any(job.weights for job in jobs):
        raise BenchError("--weights: a file of weights can't be sent to other machines: leave --executor out")
    from benchmark.execution.cluster.ray_executor import RayExecutor

    return RayExecutor(cluster.address, cluster.workers, context, jobs, partial(note, console))


def _repeat(job: Job, store: RecordStore, fresh: bool, retry: Sequence[str]) -> bool:
    """Whether to run a job anew although it has a record."""
    record = store.read(job.id) if fresh or retry else None
    if record is None:
        return False
    return fresh or record["status"] in retry or ("damaged" in retry and not whole(store, record))


def refusals(jobs: Sequence[Job], store: RecordStore) -> list[str]:
    """A sentence for each owner who could not mark a model because a parameter, or what it names, is wrong.

    A scheme says so with a ValueError or a BenchError: a signature too long, too few images, a layer that isn't there.
    """
    sentences = []
    for job in jobs:
        record = store.read(job.id) if job.kind == "marked" else None
        if record is not None and record["status"] == "crashed":
            kind, _, message = str(record["reason"]).partition(": ")
            if kind in ("ValueError", "BenchError"):
                sentences.append(f"{job.label.removeprefix('marked ')}: {message.rpartition(' (')[0]}")
    return list(dict.fromkeys(sentences))
