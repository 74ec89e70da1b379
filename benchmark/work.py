"""One job, carried out in a worker process: read the parents, perform the act, write the artefacts.

What a job may read follows from its kind: an attacked job reads the release and never the key.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import platform
import resource
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch

from benchmark import acts, artefacts
from benchmark.contract import Attack, Scheme
from benchmark.data import Data, load, thief_data
from benchmark.job import Job
from benchmark.nets import Net, known
from benchmark.parties import Court, NotApplicable, Owner, Party, World, stream
from benchmark.profile import Profile
from benchmark.records import RecordStore
from benchmark.registry import load_class
from benchmark.release import Key, Release, Service
from benchmark.tasks import find_task
from benchmark.training import Meter, Recipe


def world_of(profile: Profile, device: torch.device) -> World:
    """The world a profile describes, on a device."""
    return _world(profile.world(), device)


def _world(described: Mapping[str, Any], device: torch.device) -> World:
    return World(
        find_task(described["task"]),
        described["architecture"],
        Recipe(**described["training"]),
        device,
        described["precision"],
    )


def _load(source: str) -> type:
    """The plug-in class that "path:Class" names."""
    path, class_name = source.rsplit(":", 1)
    return load_class(Path(path), class_name)


class Desk:
    """What a worker has before it for one job: the payload, the parents' records and artefacts, the device."""

    def __init__(self, job: Job, store: RecordStore, device: torch.device) -> None:
        self.job, self.store, self.device = job, store, device
        self.payload = job.payload
        self.world = _world(self.payload["world"], device)
        self.replicate: int = self.payload["replicate"]
        splits = load(self.world.task)
        self.owner_data, self.test = splits.owner.to(device), splits.test.to(device)
        self._splits = splits

    def plugin(self, role: str) -> Any:
        """The plug-in of `role` ("scheme", "stage0", ...) with the payload's parameters."""
        described = self.payload["stages"][int(role[5:])] if role.startswith("stage") else self.payload["scheme"]
        return _load(self.job.sources[role])(**described["parameters"])

    @property
    def scheme(self) -> Scheme:
        return cast(Scheme, self.plugin("scheme"))

    def record(self, job: str) -> dict[str, Any]:
        record = self.store.read(job)
        if record is None:
            raise artefacts.Damaged(job, "the record of a parent is gone")
        return record

    def service(self, job: str) -> Service:
        """What a finished job serves. Plug-in code is imported only where the net needs a builder of its own."""
        checksum = self.record(job)["result"]["artefacts"]["service"]
        service = artefacts.read_service(self.store.artefact_path(job, "service"), job, checksum)
        if not all(known(net.spec) for net in (service.net, *service.filters)):
            for source in self.job.sources.values():
                _load(source)
        return service

    def key(self, job: str) -> Key:
        """The key of a marked job, or the claim of an attacked one. Only a court may call it."""
        checksum = self.record(job)["result"]["artefacts"]["key"]
        path = self.store.artefact_path(job, "key")
        return artefacts.read_key(path, job, checksum, self.scheme.key_type)

    def keep(self, role: str, value: Service | Key) -> str:
        return artefacts.write(self.store.artefact_path(self.job.id, role), self.job.id, value)

    def thief_data(self) -> tuple[Data, Data]:
        """What the thief trains on, and what he holds out."""
        thief = self.payload["thief"]
        rng = stream(self.replicate, "thief-data", self.world.task.name)
        training, held_out = thief_data(self._splits, thief["pool"], thief["share"], rng)
        return training.to(self.device), held_out.to(self.device)


def _unmarked(desk: Desk) -> dict[str, Any]:
    """A host is the owner's net of a replicate; a null is one of the pool of independent models."""
    kind, world = desk.job.kind, desk.world
    number = desk.payload["index"] if kind == "null" else desk.replicate
    meter = Meter()
    party = Party(world, desk.owner_data, stream(number, kind, world.task.name, world.architecture), meter)
    service = acts.train_unmarked(party)
    return _result(desk, service, meter.record())


def _marked(desk: Desk) -> dict[str, Any]:
    scheme, world, meter = desk.scheme, desk.world, Meter()
    host: Net | None = desk.service(desk.payload["host"]).net if scheme.host else None
    rng = stream(desk.replicate, "owner", scheme.name, world.task.name)
    release, key = acts.embed(scheme, Owner(world, desk.owner_data, rng, host, meter), desk.replicate)
    result = _result(desk, release.service, meter.record())
    result["artefacts"]["key"] = commitment = desk.keep("key", key)
    return result | {"commitment": commitment}


def _attacked(desk: Desk) -> dict[str, Any]:
    payload = desk.payload
    stages = [cast(Attack, desk.plugin(f"stage{index}")) for index in range(len(payload["stages"]))]
    target: str | None = payload["target"]
    release = Release(desk.service(target), payload["grants"]) if target else None
    scheme = desk.scheme if payload["scheme"] else None
    training, held_out = desk.thief_data()
    service, claim, bill = acts.steal(stages, desk.world, training, desk.replicate, release, scheme)
    result = _result(desk, service, bill.record())
    if release is not None:
        result["agreement"] = acts.agreement(release.service, service, desk.test, desk.world)
        if len(held_out):  # by which he would choose the strength of his attack
            before, after = (acts.answers(one, held_out, desk.world) for one in (release.service, service))
            result["thief_utility"] = {"before": before, "after": after}
    if claim is not None:
        result["artefacts"]["key"] = desk.keep("key", claim)
    return result


def _judged(desk: Desk) -> dict[str, Any]:
    payload, scheme = desk.payload, desk.scheme
    key = desk.key(payload["key"])
    digest = desk.record(payload["key"])["result"]["artefacts"]["key"]
    committed = any(desk.record(job)["result"]["commitment"] == digest for job in payload["ledger"])
    rng_name = (desk.replicate, "court", payload["scheme"]["name"], desk.world.task.name)
    observations = [
        acts.examine(scheme, key, desk.service(job), Court(desk.world, desk.test, stream(*rng_name)))
        for job in payload["suspects"]
    ]
    return {"observations": observations, "admission": acts.admission(scheme, key, committed)}


def _drawn(desk: Desk) -> dict[str, Any]:
    """Fresh admissible keys on innocent models: what `metrics.md` section 5 counts false accusations by."""
    payload, scheme = desk.payload, desk.scheme
    key, suspects = desk.key(payload["key"]), payload["suspects"]
    named = (payload["scheme"]["name"], desk.world.task.name)
    rng = stream(desk.replicate, "fresh-keys", *named)
    each, more = divmod(payload["draws"], len(suspects))
    models: list[int] = []
    observations: list[dict[str, Any]] = []
    admissible = 0
    for number, job in enumerate(suspects):
        court = Court(desk.world, desk.test, stream(desk.replicate, "court", *named))
        seen, admitted = acts.redrawn(scheme, key, desk.service(job), court, rng, each + (number < more))
        observations += seen
        models += [number] * len(seen)
        admissible += admitted
    return {"models": models, "observations": observations, "admissible": admissible}


def _result(desk: Desk, service: Service, cost: Mapping[str, int]) -> dict[str, Any]:
    correct = acts.answers(service, desk.test, desk.world)
    return {
        "utility": {"correct": correct},
        "cost": dict(cost),
        "artefacts": {"service": desk.keep("service", service)},
    }


_ACTS: dict[str, Callable[[Desk], dict[str, Any]]] = {
    "host": _unmarked,
    "null": _unmarked,
    "marked": _marked,
    "attacked": _attacked,
    "judged": _judged,
    "drawn": _drawn,
}


def execute(job: Job, context: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out `job`; context: root (the store), device. Returns the outcome the scheduler records."""
    torch.set_num_threads(1)
    torch.manual_seed(int(hashlib.sha256(job.id.encode()).hexdigest()[:15], 16))
    device = _device(context["device"])
    started, used = time.perf_counter(), time.process_time()
    outcome: dict[str, Any] = {"status": "ok", "reason": None, "result": {}}
    try:
        desk = Desk(job, RecordStore(Path(context["root"])), device)
        outcome["result"] = _ACTS[job.kind](desk)
    except NotApplicable as reason:
        outcome |= {"status": "not-applicable", "reason": str(reason)}
    except artefacts.Damaged as damaged:
        return {"status": "damaged", "damaged": damaged.job, "reason": str(damaged)}
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # not the plug-in's fault: a killed job is tried again by the next run
        full = "the disk is full: free some space and run the same command again"
        outcome |= {"status": "killed", "reason": full}
    except (torch.OutOfMemoryError, MemoryError) as error:
        outcome |= {
            "status": "oom",
            "reason": f"out of memory: {str(error).splitlines()[0] if str(error) else job.label}",
        }
    outcome["run"] = {
        "seconds": round(time.perf_counter() - started, 4),
        "cpu_seconds": round(time.process_time() - used, 4),
        **_circumstances(device),
    }
    return outcome


def _device(wanted: str) -> torch.device:
    """ "auto" is the GPU where there is one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted)


def _circumstances(device: torch.device) -> dict[str, Any]:
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device) / 2**20
        torch.cuda.reset_peak_memory_stats(device)
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "peak_memory_mb": round(peak, 1),
        "device": device.type,
        "hardware": _hardware(device),
        "versions": _versions(),
    }


@cache
def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


@cache
def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "torch-pruning", "numpy", "scipy", "watermark-bench")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
