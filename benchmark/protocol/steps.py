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
from benchmark.data.splits import Data, Holdings, as_float
from benchmark.errors import NotApplicable
from benchmark.protocol.answers import Answers, checked, gaps
from benchmark.protocol.attack import Attack, OracleAttack
from benchmark.protocol.court import Court, Opaque, Suspect
from benchmark.protocol.objects import Key, Release, Service
from benchmark.protocol.observations import Observations, bits
from benchmark.protocol.parties import Owner, Party, TaskContext, Unreadable, stream
from benchmark.protocol.scheme import Scheme
from benchmark.protocol.thief import Insider, Thief, ThiefCost
from benchmark.training.flops import counted
from benchmark.training.image_quality import psnr, quality
from benchmark.vocabulary import Access, may


def train_unmarked(party: Party, samples: int = 0) -> Service:
    """A host, a null or a twin: the house architecture trained on the party's data, nothing hidden in it.

    By the house's recipe, with as many more epochs as it takes to see about `samples` images, counted as in `Meter`.
    """
    recipe, images = party.context.recipe, len(party.data)
    epoch = max(1, images // min(recipe.batch, images)) * min(recipe.batch, images)
    with counted(party.meter):
        recipe = party.recipe(epochs=max(recipe.epochs, round(samples / epoch)))
        return Service(Net.of(party.fit(party.build(), recipe)))


def host(party: Party) -> Service:
    """The owner's net before it is marked: the one that he brought if it answers the task, else a trained one."""
    given = party.given()
    return train_unmarked(party) if given is None else Service(Net.of(given))


def embed(scheme: Scheme, owner: Owner, rng: torch.Generator) -> tuple[Release, Key]:
    """Draw a key from `rng`, which nobody else can, and mark a model with it.

    Afterwards `owner.used_host` says whether the model was made from his host: for a key alone he may read it, too.
    """
    with counted(owner.meter):
        key = scheme.keygen(owner, rng)
        owner.used_host = False
        marked = scheme.embed(owner, key)
    return Release(Service(Net.of(marked.model)), scheme.release), marked.key


def steal(
    stages: Sequence[Attack], context: TaskContext, images: Holdings | Data, replicate: int,
    release: Release | None, scheme: Scheme | None = None, key: Key | None = None,
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
        # what later stages buy labels from: a net that was cut down gives poor ones
        stolen = release.service.running(context.device) if release and may(release.grants, "labels") else None
        rng = stream(replicate, "thief", attack.name, context.task.name)
        own = copy.deepcopy((context, images, scheme))
        thief = kind(*own[:2], rng, running, grants, attack=attack, scheme=own[2], cost=cost, stolen=stolen)
        with counted(cost.meter):
            found = attack(thief)
        if found.model is None and service is None:
            raise NotApplicable(f"{attack.name} was given no model and returned none")
        if found.model is not None:
            grants = "weights"  # of a net he made himself
        net = Net.of(found.model) if found.model is not None else service.net  # type: ignore[union-attr]
        front, behind = (service.filters, service.answer_filters) if service else ((), ())
        front = (*front, *map(Net.of, found.filters))
        service = Service(net, front, (*behind, *map(Net.of, found.answer_filters)))
        claim = claim if found.claim is None else found.claim
    if service is None:
        raise ValueError("an attack needs at least one stage")
    return service, claim, cost


def benchmark_of(service: Service, held_out: Holdings, context: TaskContext) -> Data:
    """Images by which a thief measures what an attack cost him: right is his own label, else what the release says.

    So a thief with few labels measures fidelity to the release, for queries that are not counted as the attack's. On
    image-to-image tasks he holds out images with labels alone.
    """
    if not len(held_out.unlabelled):
        return held_out.labelled
    answers = service.running(context.device).ask(as_float(held_out.unlabelled), "labels")
    return held_out.labelled.joined(Data(held_out.unlabelled, answers.to(held_out.unlabelled.device)))


def useful(service: Service, data: Data, context: TaskContext) -> dict[str, Any]:
    """The `utility` of a service on images that its owner, or a thief, holds out for himself."""
    images = data.images()
    return utility(checked(service.running(context.device).ask(images, "outputs"), images, context.task.kind), data)


def utility(outputs: Tensor, data: Data) -> dict[str, Any]:
    """How useful a service is that answers `data` with `outputs`, item by item.

    Classification: `correct`, one character an image, and `majority`, the same of a model that always names the class
    that is most frequent in `data`; whoever names a class that the task hasn't is wrong.
    Image-to-image: `psnr` in dB and `ssim` of every answer against the clean image, and the PSNR of the degraded input
    itself (`identity`).
    """
    outputs = outputs.to(data.x.device)
    if outputs.dim() == 2:
        labels = data.y.cpu()
        majority = labels == labels.bincount().argmax()
        return {"correct": bits(outputs.argmax(1).cpu() == labels), "majority": bits(majority)}
    clean = as_float(data.y)
    return quality(outputs, clean) | {"identity": psnr(data.images(), clean).tolist()}


def distortion(host: Answers, marked: Answers) -> dict[str, Any] | None:
    """What embedding did to the images of an image-to-image net: `psnr` in dB and `ssim` of what it answers when marked
    against what its host answers, image by image. None for other tasks.
    """
    return quality(marked.outputs, host.outputs.clamp(0, 1)) if host.outputs.dim() == 4 else None


def agreement(delivered: Answers, attacked: Answers) -> dict[str, float]:
    """How alike two services answer: the largest gap between their outputs, and the share of equal labels."""
    one, other = delivered.outputs, attacked.outputs
    gap = {"largest_gap": float(gaps(one, other).max())}
    if one.dim() == 4:
        return gap
    return {"labels": float((one.argmax(1) == other.argmax(1)).float().mean()), **gap}


def examine(scheme: Scheme, key: Key, suspect: Suspect, court: Court) -> dict[str, Any]:
    """The stored form of what the court observed of one suspect, or why the suspect is unreadable.

    `inconsistent`: why its answers are not those of one model. `opaque`: why nobody but its maker can read its net.
    """
    try:
        seen = scheme.observe(suspect, key, court).record()
    except Unreadable as reason:
        seen = Observations("", {}, unreadable=str(reason)).record()
        if isinstance(reason, Opaque):
            seen["opaque"] = str(reason)
    return seen | ({"inconsistent": suspect.inconsistent} if suspect.inconsistent else {})


def redrawn(
    scheme: Scheme, key: Key, suspect: Suspect, court: Court, rng: torch.Generator, draws: int
) -> tuple[list[dict[str, Any]], int]:
    """Observations of one suspect under `draws` fresh keys in place of `key`, and how many of those are admissible.

    The channels alone that p-values rest on: gates could only lower the number of accusations.
    """
    seen, admitted = [], 0
    for _ in range(draws):
        fresh = scheme.redraw(key, rng)
        # the court's draws follow from the key, not from how many the keys before it took: other suspects see the same
        court.rng.manual_seed(int(torch.randint(2**62, (), generator=rng)))
        found = scheme.admissible(fresh)
        admitted += found.well_formed and found.bound
        seen.append(scheme.observe(suspect, fresh, court).tries.record())
    return seen, admitted


def overlap(triggers: Data, inputs: Tensor) -> dict[str, int]:
    """How many `of` a key's images a thief `held` whose images are `inputs`, to the last pixel."""
    if triggers.x.shape[1:] != inputs.shape[1:]:
        return {"held": 0, "of": len(triggers)}
    images, sums = inputs.cpu(), inputs.flatten(1).sum(1).cpu()
    alike = ((image, images[sums == image.sum()]) for image in triggers.x.cpu())
    return {"held": sum(bool((some == image).flatten(1).all(1).any()) for image, some in alike), "of": len(triggers)}


def admission(scheme: Scheme, key: Key, committed: bool) -> dict[str, Any]:
    """The stored form of whether `key` is admissible; `committed`: its hash was published before the release."""
    found = asdict(scheme.admissible(key)) | {"committed": committed}
    return {name: value for name, value in found.items() if name != "grindable" or value}
