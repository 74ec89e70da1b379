"""What each kind of job computes, from its payload and its parents' artefacts.

This file and all that it imports are the numeric part, which decides every result (`benchmark.digest`). What surrounds
a job (time, memory, mishaps) is in `benchmark.execution.job_runner`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch

from benchmark.data.splits import Data
from benchmark.description import read
from benchmark.execution.job_context import JobContext, court_stream
from benchmark.identity import canonical, stream_seed
from benchmark.protocol import steps
from benchmark.protocol.court import Court, Suspect
from benchmark.protocol.objects import Key, Release
from benchmark.protocol.parties import Owner, Party, stream
from benchmark.protocol.scheme import Scheme, TriggerScheme
from benchmark.store.kept import Kept
from benchmark.training.flops import Meter
from benchmark.vocabulary import JobStep

_released: Kept[tuple[Data, dict[str, Any]]] = Kept(8)  # by what a thief measures, and how useful the release is by it


def compute(context: JobContext, step: JobStep, made: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a step of a job, JSON beside the artefacts that it wrote; `made`: that of the step before.

    Seeds first what a plug-in may use beside its own stream: by name, as streams are, never by code or strength.
    """
    payload = context.payload
    names = [stage["name"] for stage in payload.get("stages", ())] or [(payload.get("scheme") or {}).get("name", "")]
    name = (context.replicate, "global", context.job.kind, names, payload["world"]["task"])
    seed = context.streams.seed(*name) if "secret" in payload else stream_seed(*name)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    if step == "answer":
        return _answer(context, made)
    if step == "make":
        context.load_host()
    return _BODIES[context.job.kind](context)


def _unmarked(context: JobContext) -> dict[str, Any]:
    """A host is the owner's net of a replicate; a null is one of the pool of independent models."""
    kind, task_context = context.job.kind, context.task_context
    number = context.payload["index"] if kind == "null" else context.replicate
    rng = stream(number, kind, task_context.task.name, task_context.architecture)
    party = Party(task_context, context.owner_data(), rng)
    service = (steps.host if kind == "host" else steps.train_unmarked)(party)
    return {"cost": party.meter.record(), "artefacts": {"service": context.leave("service", service)}}


def _marked(context: JobContext) -> dict[str, Any]:
    scheme, task_context, meter = context.scheme, context.task_context, Meter()
    host = context.service(context.payload["host"]).net if scheme.host else None
    drawn = partial(context.streams.stream, context.replicate)
    owner = Owner(task_context, context.owner_data(), drawn("owner", scheme.name, task_context.task.name), host, meter)
    release, key = steps.embed(scheme, owner, drawn("owner-key", scheme.name, task_context.task.name))
    left = {"service": context.leave("service", release.service), "key": context.leave("key", key)}
    return {"cost": meter.record(), "artefacts": left, "commitment": left["key"], "from_host": owner.used_host}


def _twin(context: JobContext) -> dict[str, Any]:
    """An unmarked net that saw as many images as a marked one, those of its host among them where it was made from it.

    Its stream names no scheme: marked nets of one replicate that were trained as long have the same twin.
    """
    marked, task_context = context.payload["marked"], context.task_context
    made = context.result(marked)
    samples = made["cost"]["samples"]
    if made["from_host"]:
        samples += context.result(context.described(marked)["host"])["cost"]["samples"]
    rng = stream(context.replicate, "twin", task_context.task.name, task_context.architecture)
    party = Party(task_context, context.owner_data(), rng)
    service = steps.train_unmarked(party, samples)
    return {"cost": party.meter.record(), "artefacts": {"service": context.leave("service", service)}}


def _attacked(context: JobContext) -> dict[str, Any]:
    """What the thief does, in a process where nothing of the judge's is."""
    payload, task_context, stages = context.payload, context.task_context, context.stages
    target: str | None = payload["target"]
    release = Release(context.service(target), payload["grants"]) if target else None
    scheme = context.scheme if payload["scheme"] else None
    images, held_out = context.thief_data(payload["thief"], context.replicate)
    if release is None:  # he attacks no release, so he has no strength to choose by what he held out
        images = images.joined(held_out)
    key = context.key(payload["key"]) if payload.get("key") else None
    service, claim, cost = steps.steal(stages, task_context, images, context.replicate, release, scheme, key)
    left = {"service": context.leave("service", service)}
    if claim is not None:
        left["key"] = context.leave("key", claim)
    result: dict[str, Any] = {"cost": cost.record(), "artefacts": left}
    if release is not None and len(held_out):  # by which he would choose the strength of his attack
        name = (context.digest(payload["target"], "service"), payload["data"], canonical(payload["thief"]))
        stolen = release.service

        def measured() -> tuple[Data, dict[str, Any]]:
            measure = steps.benchmark_of(stolen, held_out, task_context)
            return measure, steps.useful(stolen, measure, task_context)

        measure, before = _released.get((*name, context.replicate), measured)
        result["thief_utility"] = {"before": before, "after": steps.useful(service, measure, task_context)}
    return result


class _Made(TypedDict):
    """What a party says of a model that it made.

    artefacts: SHA-256 of what it left, by role. from_host: of a marked model, whether it was made from the host.
    """

    cost: Mapping[str, int]
    artefacts: _Left
    commitment: NotRequired[str]
    from_host: NotRequired[bool]
    thief_utility: NotRequired[Mapping[str, Mapping[str, str | list[float]]]]


class _Left(TypedDict):
    service: str
    key: NotRequired[str]


def _answer(context: JobContext, made: Mapping[str, Any]) -> dict[str, Any]:
    """The court takes the new model, and asks it the judge's images once: all that anybody reads of them later."""
    payload, test, task_context = context.payload, context.test(), context.task_context
    made = read(_Made, made, "what the job made")  # by a process that may be anybody's
    running = context.take(made["artefacts"])
    court = Court(task_context, test, stream("answers", task_context.task.name))
    answers = court.answers(running)
    result: dict[str, Any] = {
        **made,
        "utility": steps.utility(answers.outputs, test),
        "artefacts": {**made["artefacts"], "answers": context.keep(answers)},
    }
    if context.job.kind == "attacked" and payload["target"]:
        result["agreement"] = steps.agreement(context.answers(payload["target"]), answers)
    if payload.get("host") and (found := steps.distortion(context.answers(payload["host"]), answers)):
        result["embedding"] = found
    return result


def _judged(context: JobContext) -> dict[str, Any]:
    payload, scheme = context.payload, context.scheme
    key, digest = context.key(payload["key"]), context.result(payload["key"])["artefacts"]["key"]
    committed = any(context.result(job)["commitment"] == digest for job in payload["ledger"])
    observations = []
    for job in payload["suspects"]:
        court = _court(context)
        observations.append(steps.examine(scheme, key, _suspect(context, job, court), court))
    result = {"observations": observations, "admission": steps.admission(scheme, key, committed)}
    return result | _overlap(context, scheme, key)


def _overlap(context: JobContext, scheme: Scheme, key: Key) -> dict[str, Any]:
    """How many of the owner's key images the thief who made the suspect had; nothing for claims and many suspects."""
    payload = context.payload
    suspect, *others = map(context.described, payload["suspects"])
    if others or suspect["kind"] != "attacked" or payload["key"] not in payload["ledger"]:
        return {}
    if not isinstance(scheme, TriggerScheme):  # its key has no images
        return {}
    images, held_out = context.thief_data(suspect["thief"], suspect["replicate"])
    return {"overlap": steps.overlap(scheme.triggers(key), images.joined(held_out).inputs)}


def _drawn(context: JobContext) -> dict[str, Any]:
    """Fresh admissible keys on innocent models: what `bench calibrate` counts false accusations by."""
    payload, scheme = context.payload, context.scheme
    key, suspects = context.key(payload["key"]), payload["suspects"]
    name = (context.replicate, "fresh-keys", payload["scheme"]["name"], context.task_context.task.name)
    rng = context.streams.stream(*name)
    each, more = divmod(payload["draws"], len(suspects))
    models: list[int] = []
    observations: list[dict[str, Any]] = []
    admissible = 0
    for number, job in enumerate(suspects):
        draws, court = each + (number < more), _court(context)
        seen, admitted = steps.redrawn(scheme, key, _suspect(context, job, court), court, rng, draws)
        observations += seen
        models += [number] * len(seen)
        admissible += admitted
    return {"models": models, "observations": observations, "admissible": admissible}


def _court(context: JobContext) -> Court:
    """A court that draws the same numbers for every suspect, and knows the net that the ledger's owner delivered.

    The same up to the first draw that hangs on an answer: the identities that KeyNet draws after the first 19 are
    others for every suspect, since how many images are asked, and drawn beside them, depends on what it answered.
    """
    payload = context.payload
    rng = context.streams.stream(*court_stream(payload))
    weighs = context.scheme.court == "weights"
    delivered = context.delivered(payload.get("ledger", [payload["key"]])[0]) if weighs else None
    return Court(context.task_context, context.test(), rng, delivered)


def _suspect(context: JobContext, job: str, court: Court) -> Suspect:
    """A model under examination."""
    service, running = context.asked(job)
    return Suspect(service, running, context.answers(job), context.scheme.court, court)


_BODIES: dict[str, Callable[[JobContext], dict[str, Any]]] = {
    "host": _unmarked,
    "null": _unmarked,
    "marked": _marked,
    "twin": _twin,
    "attacked": _attacked,
    "judged": _judged,
    "drawn": _drawn,
}
