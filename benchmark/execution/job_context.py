"""What one job may reach: its payload, its parents' records and artefacts, the data of its role, and the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from benchmark.architectures.hosts import register_function
from benchmark.architectures.net import Net
from benchmark.architectures.weights import read_weights
from benchmark.crypto.secret_streams import SecretStreams
from benchmark.data.splits import Data, Holdings, load_split, thief_data
from benchmark.data.tasks import find_task
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.identity import content_hash
from benchmark.planning.job import Job, PluginSource
from benchmark.plugins.registry import load_class, load_function
from benchmark.protocol.answers import Answers
from benchmark.protocol.attack import Attack
from benchmark.protocol.objects import Asked, Key, Remote, Service
from benchmark.protocol.parties import TaskContext, stream
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.store.kept import Kept
from benchmark.store.records import SECRET_ROLES, Record, RecordStore
from benchmark.store.secret import digest_of, read_secret, secret_path
from benchmark.training.engine import engine_for
from benchmark.training.recipe import Recipe

_MOST_IMAGES = 512 << 20  # bytes of images that a process keeps on its device
Images = TypeVar("Images", Data, Holdings)


def _bytes(parts: tuple[Data | Holdings, ...]) -> int:
    return sum(images.nbytes for images in parts)


_images: Kept[tuple[Any, ...]] = Kept(_MOST_IMAGES, _bytes)  # of which every job gets copies


def court_stream(payload: Mapping[str, Any]) -> tuple[int, str, str, str]:
    """The name of the stream that a judged job's court draws from: the same numbers for every suspect."""
    return payload["replicate"], "court", payload["scheme"]["name"], payload["world"]["task"]


class Changed(Exception):
    """A source or data file is not what it was when the plan was made; the message names it."""


def context_of(
    world: Mapping[str, Any], device: torch.device, *, foreign: bool = False, weights: str = ""
) -> TaskContext:
    """The task context that a profile (`Profile.world`) or a job's payload (`world`) describes, on a device.

    foreign: for the code of somebody else, which trains step by step. weights: the file that the world names by its
    SHA-256, for the owner.
    """
    recipe, engine = Recipe(**world["training"]), engine_for(device, world.get("engine", "auto"), foreign=foreign)
    read = partial(_weights, Path(weights), world["weights"]) if weights else None
    task = find_task(world["task"])
    return TaskContext(task, world["architecture"], recipe, device, world["precision"], engine, read)


def _weights(path: Path, digest: str) -> Mapping[str, Tensor]:
    _check_content(path, digest)
    return read_weights(path)


def load_source(source: PluginSource) -> Callable[..., Any]:
    """The plug-in class of a plan, or the function that makes its house nets, which is then registered.

    Raises Changed when its code has been edited since: the job's id would be wrong.
    """
    code = None
    with suppress(BenchError):  # gone, or no longer Python: changed as well
        code = source_hash(Path(source.path))
    if code != source.code:
        raise _changed(source.path)
    if not source.builder:
        return load_class(Path(source.path), source.class_name)
    function = load_function(Path(source.path), source.class_name)
    register_function(source.builder, function)
    return function


def _check_content(path: Path, digest: str) -> None:
    """Raise Changed when a file or folder is not what it was when the plan was made."""
    with suppress(OSError):  # gone or locked: changed as well
        if content_hash(path) == digest:
            return
    raise _changed(path)


def _changed(path: str | Path) -> Changed:
    return Changed(f"{path} changed after the plan was made: run the same command again")


class JobContext:
    """One job's view of the store and the data. Only a court and an insider may read a key.

    remote: a process beside the court's, which serves suspects that others' code has a part in.
    """

    def __init__(self, job: Job, store: RecordStore, device: torch.device, remote: Remote | None = None) -> None:
        self.job, self.store, self.device, self.remote = job, store, device, remote
        self.payload = job.payload
        self.task_context = context_of(self.payload["world"], device, foreign=job.foreign, weights=job.weights)
        self.replicate: int = self.payload["replicate"]

    def load_host(self) -> None:
        """Let whoever makes a model build house nets, where a function of the user's own makes them."""
        if "host" in self.job.sources:
            load_source(self.job.sources["host"])

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

    @cached_property
    def streams(self) -> SecretStreams:
        """Streams that follow from the store's secret. Raises PermissionError in a thief's job."""
        if self.job.role not in ("owner", "court"):
            raise PermissionError(f"the job {self.job.label!r} is the {self.job.role}'s and may draw no secret stream")
        secret = read_secret(secret_path(self.store.root))
        if digest_of(secret) != self.payload["secret"]:
            raise _changed(secret_path(self.store.root))
        return SecretStreams(secret)

    def described(self, job: str) -> Mapping[str, Any]:
        """The payload of a parent. Raises DamagedArtefact where its record is gone."""
        return self._record(job)["job"]

    def result(self, job: str) -> dict[str, Any]:
        """What a parent found. Raises DamagedArtefact where its record is gone."""
        return self._record(job)["result"]

    def _record(self, job: str) -> Record:
        record = self.store.read(job)
        if record is None:
            raise artefacts.DamagedArtefact(job, "the record of a parent is gone")
        return record

    def digest(self, job: str, role: str) -> str:
        """The SHA-256 of a parent's artefact: from the driver in a process that may read no record, else from there."""
        given = self.job.given.get(job) or self.result(job)["artefacts"]
        return str(given[role])

    def service(self, job: str) -> Service:
        """What a finished job serves, for the party that attacks or marks it.

        Plug-in code is imported only where the net needs a builder of its own.
        """
        service = self._service(job)
        if not service.known:
            for source in self.job.sources.values():
                load_source(source)
        return service

    def asked(self, job: str) -> tuple[Service, Asked]:
        """What a finished job serves, for the court: at rest, and ready to be asked.

        The court imports the code of the benchmark's own plug-ins and of the scheme. What needs another's is served by
        the process beside it. Raises ValueError where there is none.
        """
        return self._asked(self._service(job))

    def delivered(self, job: str) -> Net:
        """The net that a marked job let out, for the court, at rest."""
        return self._service(job).net

    def _asked(self, service: Service) -> tuple[Service, Asked]:
        if not service.known:
            for role, source in self.job.sources.items():
                if role == "scheme" or source.trusted:
                    load_source(source)
        if service.known:
            return service, service.running(self.device)
        if self.remote is None:
            raise ValueError("the model needs a builder that none of its job's plug-ins has")
        self.remote.load(service, list(self.job.sources.values()))
        return service, self.remote

    def _service(self, job: str) -> Service:
        return artefacts.read_service(self.store.artefact_path(job, "service"), job, self.digest(job, "service"))

    def answers(self, job: str) -> Answers:
        """What a finished job's model answers to the judge's images, asked when it was made."""
        return artefacts.read_answers(self.store.artefact_path(job, "answers"), job, self.digest(job, "answers"))

    def key(self, job: str) -> Key:
        """The key of a marked job, or the claim of an attacked one.

        Raises PermissionError unless the job is a court's or an insider's.
        """
        if self.job.role not in ("court", "insider"):
            raise PermissionError(f"the job {self.job.label!r} is the {self.job.role}'s and may not read a key")
        path, digest = self.store.artefact_path(job, "key"), self.digest(job, "key")
        return artefacts.read_key(path, job, digest, self.scheme.key_type)

    def leave(self, role: str, value: Service | Key) -> str:
        """Leave what this job makes in the working folder, for the court to take; returns the file's SHA-256."""
        return artefacts.write(self.store.work_path(self.job.id, role), self.job.id, value, lasting=False)

    def take(self, made: Mapping[str, str]) -> Asked:
        """Put what this job's party left, by role, in its place; the model is ready to be asked.

        Raises ValueError where a file is not what the party said.
        """
        for role, digest in made.items():
            work, place = self.store.work_path(self.job.id, role), self.store.artefact_path(self.job.id, role)
            artefacts.settle(work, place, digest, secret=role in SECRET_ROLES)
        place = self.store.artefact_path(self.job.id, "service")
        service = artefacts.read_service(place, self.job.id, made["service"])
        return self._asked(service)[1]

    def keep(self, value: Answers) -> str:
        """Write what this job's model answers; returns the file's SHA-256."""
        return artefacts.write(self.store.artefact_path(self.job.id, "answers"), self.job.id, value)

    def owner_data(self) -> Data:
        (images,) = self._kept(lambda: (self._split("owner"),), "owner")
        return images

    def test(self) -> Data:
        """The judge's images."""
        (images,) = self._kept(lambda: (self._split("test"),), "test")
        return images

    def thief_data(self, thief: Mapping[str, Any], replicate: int) -> tuple[Holdings, Holdings]:
        """What a `thief` of a payload uses, and what he holds out; no more of the task stays in the process."""
        numbers, task = (thief["labelled"], thief["unlabelled"]), self.task_context.task

        def drawn() -> tuple[Holdings, ...]:
            whole = self._split("thief" if thief["pool"] == "disjoint" else "owner")
            return thief_data(whole, *numbers, stream(replicate, "thief-data", task.name), task.kind)

        images, held_out = self._kept(drawn, thief["pool"], *numbers, replicate)
        return images, held_out

    def _kept(self, made: Callable[[], tuple[Images, ...]], *name: object) -> tuple[Images, ...]:
        """Copies of images that the process keeps on its device, so that no job reads or splits them again, and none
        finds what another wrote into its own.
        """
        name = (self.task_context.task.name, self.payload["data"], self.device, *name)
        kept = _images.get(name, lambda: tuple(data.to(self.device) for data in made()))
        return tuple(data.copy() for data in kept)

    def _split(self, role: str) -> Data:
        try:
            return load_split(self.task_context.task, role, self.payload["data"])
        except BenchError as error:  # it was whole when the plan was made
            raise Changed(str(error)) from error
