"""What a worker has before it for one job: the payload, the parents' records and artefacts, the data, the device."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch

from benchmark.architectures.blocks import known
from benchmark.data.splits import Data, Splits, load, thief_data
from benchmark.data.tasks import Task, find_task
from benchmark.errors import BenchError
from benchmark.identity import content_hash, source_hash
from benchmark.planning.job import Job, PluginSource
from benchmark.planning.profile import Profile
from benchmark.plugins.registry import load_class
from benchmark.protocol.objects import Key, Service
from benchmark.protocol.parties import TaskContext, stream
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.store.records import Record, RecordStore
from benchmark.training.loop import Recipe


class Changed(Exception):
    """A source file is not what it was when the plan was made; the message names it."""


def context_of(profile: Profile, device: torch.device) -> TaskContext:
    """The task context a profile describes, on a device."""
    return _context(profile.world(), device)


def _context(described: Mapping[str, Any], device: torch.device) -> TaskContext:
    return TaskContext(
        find_task(described["task"]),
        described["architecture"],
        Recipe(**described["training"]),
        device,
        described["precision"],
    )


def load_source(source: PluginSource) -> type:
    """The plug-in class of a plan. Raises Changed when the file has been edited since: its id would be wrong."""
    if source_hash(Path(source.path)) != source.code:
        raise Changed(f"{source.path} changed after the plan was made: run the same command again")
    return load_class(Path(source.path), source.class_name)


def _check_content(path: Path, digest: str) -> None:
    """Raise Changed when a file or folder is not what it was when the plan was made."""
    with suppress(OSError):  # gone or locked: changed as well
        if content_hash(path) == digest:
            return
    raise Changed(f"{path} changed after the plan was made: run the same command again")


class Desk:
    """One job's view of the store. What is read depends on what is asked: a thief's job never asks for a key."""

    def __init__(self, job: Job, store: RecordStore, device: torch.device) -> None:
        self.job, self.store, self.device = job, store, device
        self.payload = job.payload
        self.context = _context(self.payload["world"], device)
        self.replicate: int = self.payload["replicate"]

    def plugin(self, role: str) -> Any:
        """The plug-in of `role` ("scheme", "stage0", ...) with the payload's parameters."""
        described = self.payload["stages"][int(role[5:])] if role.startswith("stage") else self.payload["scheme"]
        for name, digest in described.get("files", {}).items():
            _check_content(Path(described["parameters"][name]), digest)
        return load_source(self.job.sources[role])(**described["parameters"])

    @property
    def scheme(self) -> Scheme:
        return cast(Scheme, self.plugin("scheme"))

    def record(self, job: str) -> Record:
        record = self.store.read(job)
        if record is None:
            raise artefacts.DamagedArtefact(job, "the record of a parent is gone")
        return record

    def service(self, job: str) -> Service:
        """What a finished job serves. Plug-in code is imported only where the net needs a builder of its own."""
        checksum = self.record(job)["result"]["artefacts"]["service"]
        service = artefacts.read_service(self.store.artefact_path(job, "service"), job, checksum)
        if not all(known(net.spec) for net in (service.net, *service.filters)):
            for source in self.job.sources.values():
                load_source(source)
        return service

    def key(self, job: str) -> Key:
        """The key of a marked job, or the claim of an attacked one. Only a court and an insider may call it."""
        checksum = self.record(job)["result"]["artefacts"]["key"]
        path = self.store.artefact_path(job, "key")
        return artefacts.read_key(path, job, checksum, self.scheme.key_type)

    def keep(self, role: str, value: Service | Key) -> str:
        return artefacts.write(self.store.artefact_path(self.job.id, role), self.job.id, value)

    def owner_data(self) -> Data:
        return self._splits().owner.to(self.device)

    def test(self) -> Data:
        """The judge's images."""
        return self._splits().test.to(self.device)

    def thief_data(self) -> tuple[Data, Data]:
        """What the thief trains on, and what he holds out: copies, so that nothing else of the task stays with him."""
        thief = self.payload["thief"]
        rng = stream(self.replicate, "thief-data", self.context.task.name)
        training, held_out = thief_data(self._splits(), thief["pool"], thief["share"], rng)
        return training.to(self.device), held_out.to(self.device)

    def _splits(self) -> Splits:
        try:  # a keyholder keeps them for its next jobs; a process that attacks forgets them at once
            return load(self.context.task) if self.job.kind == "attacked" else _kept(self.context.task)
        except BenchError as error:  # they were whole when the plan was made
            raise Changed(str(error)) from error


@cache
def _kept(task: Task) -> Splits:
    return load(task)
