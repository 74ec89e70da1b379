"""What one job may reach: its payload, its parents' records and artefacts, the data of its role, and the device."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmark.architectures.net import known
from benchmark.data.splits import Data, Splits, load, thief_data
from benchmark.data.tasks import Task, find_task
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.identity import content_hash
from benchmark.planning.job import Job, PluginSource
from benchmark.plugins.registry import load_class
from benchmark.protocol.attack import Attack
from benchmark.protocol.objects import Key, Service
from benchmark.protocol.parties import TaskContext, stream
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.store.records import RecordStore
from benchmark.training.loop import Recipe


class Changed(Exception):
    """A source or data file is not what it was when the plan was made; the message names it."""


def context_of(world: Mapping[str, Any], device: torch.device) -> TaskContext:
    """The task context that a profile (`Profile.world`) or a job's payload (`world`) describes, on a device."""
    recipe = Recipe(**world["training"])
    return TaskContext(find_task(world["task"]), world["architecture"], recipe, device, world["precision"])


def load_source(source: PluginSource) -> type:
    """The plug-in class of a plan. Raises Changed when its code has been edited since: the job's id would be wrong."""
    code = None
    with suppress(BenchError):  # gone, or no longer Python: changed as well
        code = source_hash(Path(source.path))
    if code != source.code:
        raise _changed(source.path)
    return load_class(Path(source.path), source.class_name)


def _check_content(path: Path, digest: str) -> None:
    """Raise Changed when a file or folder is not what it was when the plan was made."""
    with suppress(OSError):  # gone or locked: changed as well
        if content_hash(path) == digest:
            return
    raise _changed(path)


def _changed(path: str | Path) -> Changed:
    return Changed(f"{path} changed after the plan was made: run the same command again")


class JobContext:
    """One job's view of the store and the data. Only a court and an insider may read a key."""

    def __init__(self, job: Job, store: RecordStore, device: torch.device) -> None:
        self.job, self.store, self.device = job, store, device
        self.payload = job.payload
        self.task_context = context_of(self.payload["world"], device)
        self.replicate: int = self.payload["replicate"]

    @property
    def scheme(self) -> Scheme:
        made: Scheme = self._plugin("scheme", self.payload["scheme"])
        return made

    @property
    def stages(self) -> list[Attack]:
        """The attacks of a chain, from first to last."""
        return [self._plugin(f"stage{index}", described) for index, described in enumerate(self.payload["stages"])]

    def _plugin(self, role: str, described: Mapping[str, Any]) -> Any:
        for name, digest in described.get("files", {}).items():
            _check_content(Path(described["parameters"][name]), digest)
        return load_source(self.job.sources[role])(**described["parameters"])

    def result(self, job: str) -> dict[str, Any]:
        """What a parent found. Raises DamagedArtefact where its record is gone."""
        record = self.store.read(job)
        if record is None:
            raise artefacts.DamagedArtefact(job, "the record of a parent is gone")
        found: dict[str, Any] = record["result"]
        return found

    def service(self, job: str) -> Service:
        """What a finished job serves. Plug-in code is imported only where the net needs a builder of its own."""
        checksum = self.result(job)["artefacts"]["service"]
        service = artefacts.read_service(self.store.artefact_path(job, "service"), job, checksum)
        if not all(known(net.spec) for net in (service.net, *service.filters)):
            for source in self.job.sources.values():
                load_source(source)
        return service

    def key(self, job: str) -> Key:
        """The key of a marked job, or the claim of an attacked one.

        Raises PermissionError unless the job is a court's or an insider's.
        """
        if self.job.role not in ("court", "insider"):
            raise PermissionError(f"the job {self.job.label!r} is the {self.job.role}'s and may not read a key")
        checksum = self.result(job)["artefacts"]["key"]
        return artefacts.read_key(self.store.artefact_path(job, "key"), job, checksum, self.scheme.key_type)

    def keep(self, role: str, value: Service | Key) -> str:
        """Write an artefact of this job; returns the file's SHA-256."""
        return artefacts.write(self.store.artefact_path(self.job.id, role), self.job.id, value)

    def owner_data(self) -> Data:
        return self._splits().owner.to(self.device)

    def test(self) -> Data:
        """The judge's images."""
        return self._splits().test.to(self.device)

    def thief_data(self) -> tuple[Data, Data]:
        """What the thief trains on, and what he holds out: copies, so that nothing else of the task stays with him."""
        thief = self.payload["thief"]
        rng = stream(self.replicate, "thief-data", self.task_context.task.name)
        training, held_out = thief_data(self._splits(), thief["pool"], thief["share"], rng)
        return training.to(self.device), held_out.to(self.device)

    def _splits(self) -> Splits:
        read = load if self.job.kind == "attacked" else _kept  # a process that attacks forgets them at once
        try:
            return read(self.task_context.task)
        except BenchError as error:  # they were whole when the plan was made
            raise Changed(str(error)) from error


@cache
def _kept(task: Task) -> Splits:
    return load(task)
