"""The five steps of a case: train an unmarked net, embed, attack, answer the test set, examine. No files, no jobs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmark.architectures.net import Net
from benchmark.data.splits import Data, as_float
from benchmark.protocol.attack import Attack, OracleAttack
from benchmark.protocol.objects import Key, Release, Service
from benchmark.protocol.observations import Observations, bits
from benchmark.protocol.parties import Court, NotApplicable, Owner, Party, Suspect, TaskContext, Unreadable, stream
from benchmark.protocol.scheme import Scheme
from benchmark.protocol.thief import Insider, Thief, ThiefCost
from benchmark.training.flops import counted
from benchmark.training.image_quality import psnr, quality
from benchmark.vocabulary import Access


def train_unmarked(party: Party) -> Service:
    """A host or a null: the house architecture trained on the party's data, nothing hidden in it."""
    with counted(party.meter):
        return Service(Net.of(party.fit(party.build())))


def embed(scheme: Scheme, owner: Owner, rng: torch.Generator) -> tuple[Release, Key]:
    """Draw a key from `rng`, which nobody else can, and mark a model with it."""
    with counted(owner.meter):
        key = scheme.keygen(owner, rng)
        marked = scheme.embed(owner, key)
    return Release(Service(Net.of(marked.model)), scheme.release), marked.key


def steal(
    stages: Sequence[Attack], context: TaskContext, data: Data, replicate: int, release: Release | None,
    scheme: Scheme | None = None, key: Key | None = None,
) -> tuple[Service, Key | None, ThiefCost]:  # fmt: skip
    """Run `stages` one after another on one release: their costs add up, and each has its own random stream and its own
    copies of what the thief was given, so that nothing passes from one to the next but the service.

    `key`, the owner's, is given to stages of the key-oracle lane alone. Returns what the thief ends up serving, the key
    he claims the model by, if any, and what he used.
    """
    service = release.service if release else None
    grants: Access = release.grants if release else "none"
    cost, claim = ThiefCost(), None
    for attack in stages:
        if not isinstance(attack, OracleAttack):
            kind: Callable[..., Thief] = Thief
        elif key is None:
            raise NotApplicable(f"{attack.name} is given the owner's key, and there is none")
        else:
            kind = partial(Insider, key=key)
        running = service.running(context.device) if service else None
        rng = stream(replicate, "thief", attack.name, context.task.name)
        own = copy.deepcopy((context, data, scheme))
        thief = kind(*own[:2], rng, running, grants, attack=attack, scheme=own[2], cost=cost)
        with counted(cost.meter):
            found = attack(thief)
        if found.model is None and service is None:
            raise NotApplicable(f"{attack.name} was given no model and returned none")
        if found.model is not None:
            grants = "weights"  # of a net he made himself
        net = Net.of(found.model) if found.model is not None else service.net  # type: ignore[union-attr]
        service = Service(net, (*(service.filters if service else ()), *(Net.of(f) for f in found.filters)))
        claim = claim if found.claim is None else found.claim
    if service is None:
        raise ValueError("an attack needs at least one stage")
    return service, claim, cost


def utility(service: Service, data: Data, context: TaskContext) -> dict[str, Any]:
    """How useful a service is, item by item, on `data`.

    Classification: `correct`, one character an image. Image-to-image: `psnr` in dB and `ssim` of every answer against
    the clean image, and the PSNR of the degraded input itself (`identity`). Raises ValueError unless every image is
    answered with one finite score per class, or an image of its own shape.
    """
    answer = _outputs(service, data, context)
    images = context.task.kind == "image-to-image"
    wanted = data.y.shape if images else (len(data), context.task.classes)
    if answer.shape != wanted:
        raise ValueError(f"the model answers with shape {tuple(answer.shape)}, expected {tuple(wanted)}")
    if not bool(torch.isfinite(answer).all()):
        raise ValueError("the model answers with NaN or infinity")
    if not images:
        return {"correct": bits(answer.argmax(1) == data.y)}
    clean = as_float(data.y)
    return quality(answer, clean) | {"identity": psnr(data.images(), clean).tolist()}


def distortion(host: Service, marked: Service, data: Data, context: TaskContext) -> dict[str, Any] | None:
    """What embedding did to the images of an image-to-image net: `psnr` in dB and `ssim` of what `marked` answers on
    `data` against what its `host` answers, image by image. None for other tasks.
    """
    if context.task.kind != "image-to-image":
        return None
    before, after = (_outputs(one, data, context) for one in (host, marked))
    return quality(after, before.clamp(0, 1))


def agreement(delivered: Service, attacked: Service, data: Data, context: TaskContext) -> dict[str, float]:
    """How alike two services answer `data`: the largest gap between their outputs, and the share of equal labels."""
    one, other = (_outputs(service, data, context) for service in (delivered, attacked))
    gap = {"largest_gap": float((one - other).abs().max())}
    if context.task.kind == "image-to-image":
        return gap
    return {"labels": float((one.argmax(1) == other.argmax(1)).float().mean()), **gap}


def _outputs(service: Service, data: Data, context: TaskContext) -> Tensor:
    return service.running(context.device).ask(data.images(), "outputs")


def examine(scheme: Scheme, key: Key, service: Service, court: Court) -> dict[str, Any]:
    """The stored form of what the court observed of one suspect, or why the suspect is unreadable."""
    suspect = Suspect(service.running(court.context.device), scheme.court)
    try:
        return scheme.observe(suspect, key, court).record()
    except Unreadable as reason:
        return Observations("", {}, unreadable=str(reason)).record()


def redrawn(
    scheme: Scheme, key: Key, service: Service, court: Court, rng: torch.Generator, draws: int
) -> tuple[list[dict[str, Any]], int]:
    """Observations of one suspect under `draws` fresh keys in place of `key`, and how many of those are admissible.

    The evidence channel alone: gates could only lower the number of accusations.
    """
    suspect, seen, admitted = Suspect(service.running(court.context.device), scheme.court), [], 0
    for _ in range(draws):
        fresh = scheme.redraw(key, rng)
        found = scheme.admissible(fresh)
        admitted += found.well_formed and found.bound
        one = scheme.observe(suspect, fresh, court)
        seen.append(Observations(one.evidence, {one.evidence: one.channels[one.evidence]}).record())
    return seen, admitted


def admission(scheme: Scheme, key: Key, committed: bool) -> dict[str, Any]:
    """The stored form of whether `key` is admissible; `committed`: its hash was published before the release."""
    return asdict(scheme.admissible(key)) | {"committed": committed}
