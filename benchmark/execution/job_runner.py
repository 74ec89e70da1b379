"""One job, carried out in a worker process: read the parents, perform the act, write the artefacts.

What a job may read follows from its kind and role: a thief's job reads the release and never the key.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from benchmark.data.splits import Data
from benchmark.execution.job_context import Changed, Desk
from benchmark.execution.provenance import circumstances
from benchmark.identity import source_hash, stream_seed
from benchmark.planning.job import Job
from benchmark.protocol import steps
from benchmark.protocol.attack import Attack
from benchmark.protocol.objects import Release, Service
from benchmark.protocol.parties import Court, NotApplicable, Owner, Party, stream
from benchmark.store import artefacts
from benchmark.store.records import RecordStore
from benchmark.training.loop import Meter


def _unmarked(desk: Desk) -> dict[str, Any]:
    """A host is the owner's net of a replicate; a null is one of the pool of independent models."""
    kind, context = desk.job.kind, desk.context
    number = desk.payload["index"] if kind == "null" else desk.replicate
    meter = Meter()
    party = Party(context, desk.owner_data(), stream(number, kind, context.task.name, context.architecture), meter)
    service = steps.train_unmarked(party)
    return _result(desk, service, meter.record(), desk.test())


def _marked(desk: Desk) -> dict[str, Any]:
    scheme, context, meter = desk.scheme, desk.context, Meter()
    host = desk.service(desk.payload["host"]) if scheme.host else None
    rng = stream(desk.replicate, "owner", scheme.name, context.task.name)
    owner = Owner(context, desk.owner_data(), rng, host.net if host else None, meter)
    release, key = steps.embed(scheme, owner, desk.replicate)
    result = _result(desk, release.service, meter.record(), desk.test())
    if host and (found := steps.distortion(host, release.service, desk.test(), context)):
        result["embedding"] = found
    result["artefacts"]["key"] = commitment = desk.keep("key", key)
    return result | {"commitment": commitment}


def _attacked(desk: Desk) -> dict[str, Any]:
    payload = desk.payload
    stages = [cast(Attack, desk.plugin(f"stage{index}")) for index in range(len(payload["stages"]))]
    target: str | None = payload["target"]
    release = Release(desk.service(target), payload["grants"]) if target else None
    scheme = desk.scheme if payload["scheme"] else None
    training, held_out = desk.thief_data()
    if release is None:  # he attacks no release, so he has no strength to choose by what he held out
        training = training.joined(held_out)
    told = desk.key(payload["key"]) if payload.get("key") else None
    service, claim, cost = steps.steal(stages, desk.context, training, desk.replicate, release, scheme, told)
    test = desk.test()  # read after the thief is done
    result = _result(desk, service, cost.record(), test)
    if release is not None:
        result["agreement"] = steps.agreement(release.service, service, test, desk.context)
        if len(held_out):  # by which he would choose the strength of his attack
            before, after = (steps.utility(one, held_out, desk.context) for one in (release.service, service))
            result["thief_utility"] = {"before": before, "after": after}
    if claim is not None:
        result["artefacts"]["key"] = desk.keep("key", claim)
    return result


def _judged(desk: Desk) -> dict[str, Any]:
    payload, scheme = desk.payload, desk.scheme
    key = desk.key(payload["key"])
    digest = desk.record(payload["key"])["result"]["artefacts"]["key"]
    committed = any(desk.record(job)["result"]["commitment"] == digest for job in payload["ledger"])
    rng_name = (desk.replicate, "court", payload["scheme"]["name"], desk.context.task.name)
    test = desk.test()
    observations = [
        steps.examine(scheme, key, desk.service(job), Court(desk.context, test, stream(*rng_name)))
        for job in payload["suspects"]
    ]
    return {"observations": observations, "admission": steps.admission(scheme, key, committed)}


def _drawn(desk: Desk) -> dict[str, Any]:
    """Fresh admissible keys on innocent models: what `metrics.md` section 5 counts false accusations by."""
    payload, scheme = desk.payload, desk.scheme
    key, suspects = desk.key(payload["key"]), payload["suspects"]
    named = (payload["scheme"]["name"], desk.context.task.name)
    rng, test = stream(desk.replicate, "fresh-keys", *named), desk.test()
    each, more = divmod(payload["draws"], len(suspects))
    models: list[int] = []
    observations: list[dict[str, Any]] = []
    admissible = 0
    for number, job in enumerate(suspects):
        court = Court(desk.context, test, stream(desk.replicate, "court", *named))
        seen, admitted = steps.redrawn(scheme, key, desk.service(job), court, rng, each + (number < more))
        observations += seen
        models += [number] * len(seen)
        admissible += admitted
    return {"models": models, "observations": observations, "admissible": admissible}


def _result(desk: Desk, service: Service, cost: Mapping[str, int], test: Data) -> dict[str, Any]:
    return {
        "utility": steps.utility(service, test, desk.context),
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
    """Carry out `job`; context: root (the store), device. Returns the outcome the scheduler records.

    A killed job is tried again by the next run: a full disk and a file that changed are not the plug-in's fault.
    """
    torch.set_num_threads(1)
    device = _device(context["device"])
    started, used = time.perf_counter(), time.process_time()
    outcome: dict[str, Any] = {"status": "ok", "reason": None, "result": {}}
    try:
        _seed_globals(job)
        if source_hash(Path(__file__)) != job.payload["engine"]:
            raise Changed("the benchmark's own code changed after the plan was made: run the same command again")
        outcome["result"] = _ACTS[job.kind](Desk(job, RecordStore(Path(context["root"])), device))
    except NotApplicable as reason:
        outcome |= {"status": "not-applicable", "reason": str(reason)}
    except artefacts.DamagedArtefact as damaged:
        return {"status": "damaged", "damaged": damaged.job, "reason": str(damaged)}
    except Changed as changed:
        outcome |= {"status": "killed", "reason": str(changed)}
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        outcome |= {"status": "killed", "reason": "the disk is full: free some space and run the same command again"}
    except (torch.OutOfMemoryError, MemoryError) as error:
        outcome |= {"status": "oom", "reason": f"out of memory: {(str(error) or job.label).splitlines()[0]}"}
    outcome["run"] = {
        "seconds": round(time.perf_counter() - started, 4),
        "cpu_seconds": round(time.process_time() - used, 4),
        **circumstances(device),
    }
    return outcome


def _seed_globals(job: Job) -> None:
    """Seed what a plug-in may use beside its own stream: by name, as streams are, so a comment changes no draw."""
    payload = job.payload
    names = [stage["name"] for stage in payload.get("stages", ())] or [(payload.get("scheme") or {}).get("name", "")]
    seed = stream_seed(payload["replicate"], "global", job.kind, names, payload["world"]["task"])
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _device(wanted: str) -> torch.device:
    """The device of that name; "auto" is the GPU where there is one. Convolutions are never rounded to TF32."""
    torch.backends.cudnn.allow_tf32 = False
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted)
