"""What each kind of job computes, from its payload and its parents' artefacts.

This file and all that it imports are the numeric part, which decides every result (`benchmark.digest`). What surrounds
a job (time, memory, mishaps) is in `benchmark.execution.job_runner`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmark.data.splits import Data
from benchmark.execution.job_context import JobContext, court_stream
from benchmark.identity import stream_seed
from benchmark.protocol import steps
from benchmark.protocol.objects import Release, Service
from benchmark.protocol.parties import Court, Owner, Party, stream
from benchmark.training.loop import Meter


def compute(context: JobContext) -> dict[str, Any]:
    """The result of a job: JSON, beside the artefacts that it wrote.

    Seeds first what a plug-in may use beside its own stream: by name, as streams are, never by code or strength.
    """
    payload = context.payload
    names = [stage["name"] for stage in payload.get("stages", ())] or [(payload.get("scheme") or {}).get("name", "")]
    name = (context.replicate, "global", context.job.kind, names, payload["world"]["task"])
    seed = context.streams.seed(*name) if "secret" in payload else stream_seed(*name)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    return _BODIES[context.job.kind](context)


def _unmarked(context: JobContext) -> dict[str, Any]:
    """A host is the owner's net of a replicate; a null is one of the pool of independent models."""
    kind, task_context = context.job.kind, context.task_context
    number = context.payload["index"] if kind == "null" else context.replicate
    rng = stream(number, kind, task_context.task.name, task_context.architecture)
    party = Party(task_context, context.owner_data(), rng)
    service = steps.train_unmarked(party)
    return _result(context, service, party.meter.record(), context.test())


def _marked(context: JobContext) -> dict[str, Any]:
    scheme, task_context, meter = context.scheme, context.task_context, Meter()
    host = context.service(context.payload["host"]) if scheme.host else None
    drawn = partial(context.streams.stream, context.replicate)
    rng = drawn("owner", scheme.name, task_context.task.name)
    owner = Owner(task_context, context.owner_data(), rng, host.net if host else None, meter)
    release, key = steps.embed(scheme, owner, drawn("owner-key", scheme.name, task_context.task.name))
    result = _result(context, release.service, meter.record(), context.test())
    if host and (found := steps.distortion(host, release.service, context.test(), task_context)):
        result["embedding"] = found
    result["artefacts"]["key"] = commitment = context.keep("key", key)
    return result | {"commitment": commitment}


def _attacked(context: JobContext) -> dict[str, Any]:
    payload, task_context, stages = context.payload, context.task_context, context.stages
    target: str | None = payload["target"]
    release = Release(context.service(target), payload["grants"]) if target else None
    scheme = context.scheme if payload["scheme"] else None
    training, held_out = context.thief_data()
    if release is None:  # he attacks no release, so he has no strength to choose by what he held out
        training = training.joined(held_out)
    key = context.key(payload["key"]) if payload.get("key") else None
    service, claim, cost = steps.steal(stages, task_context, training, context.replicate, release, scheme, key)
    test = context.test()  # read after the thief is done
    result = _result(context, service, cost.record(), test)
    if release is not None:
        result["agreement"] = steps.agreement(release.service, service, test, task_context)
        if len(held_out):  # by which he would choose the strength of his attack
            before, after = (steps.utility(one, held_out, task_context) for one in (release.service, service))
            result["thief_utility"] = {"before": before, "after": after}
    if claim is not None:
        result["artefacts"]["key"] = context.keep("key", claim)
    return result


def _judged(context: JobContext) -> dict[str, Any]:
    payload, scheme, test = context.payload, context.scheme, context.test()
    key, digest = context.key(payload["key"]), context.result(payload["key"])["artefacts"]["key"]
    committed = any(context.result(job)["commitment"] == digest for job in payload["ledger"])
    observations = [
        steps.examine(scheme, key, context.service(job), _court(context, test)) for job in payload["suspects"]
    ]
    return {"observations": observations, "admission": steps.admission(scheme, key, committed)}


def _drawn(context: JobContext) -> dict[str, Any]:
    """Fresh admissible keys on innocent models: what `bench calibrate` counts false accusations by."""
    payload, scheme, test = context.payload, context.scheme, context.test()
    key, suspects = context.key(payload["key"]), payload["suspects"]
    name = (context.replicate, "fresh-keys", payload["scheme"]["name"], context.task_context.task.name)
    rng = context.streams.stream(*name)
    each, more = divmod(payload["draws"], len(suspects))
    models: list[int] = []
    observations: list[dict[str, Any]] = []
    admissible = 0
    for number, job in enumerate(suspects):
        draws = each + (number < more)
        seen, admitted = steps.redrawn(scheme, key, context.service(job), _court(context, test), rng, draws)
        observations += seen
        models += [number] * len(seen)
        admissible += admitted
    return {"models": models, "observations": observations, "admissible": admissible}


def _court(context: JobContext, test: Data) -> Court:
    """A court that draws the same numbers for every suspect."""
    return Court(context.task_context, test, context.streams.stream(*court_stream(context.payload)))


def _result(context: JobContext, service: Service, cost: dict[str, int], test: Data) -> dict[str, Any]:
    return {
        "utility": steps.utility(service, test, context.task_context),
        "cost": cost,
        "artefacts": {"service": context.keep("service", service)},
    }


_BODIES: dict[str, Callable[[JobContext], dict[str, Any]]] = {
    "host": _unmarked,
    "null": _unmarked,
    "marked": _marked,
    "attacked": _attacked,
    "judged": _judged,
    "drawn": _drawn,
}
