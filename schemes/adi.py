"""Adi et al. 2018: abstract images with random labels, learnt beside the task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from benchmark.contract import (
    Admission,
    Channel,
    Court,
    Data,
    Key,
    Marked,
    Observations,
    Owner,
    Party,
    Scheme,
    Source,
    Suspect,
    abstract_images,
    as_float,
    binomial,
    parameter,
    prf_labels,
    secret,
)


@dataclass(frozen=True)
class AdiKey(Key):
    """Triggers uint8 (n, C, H, W); their labels int64 (n,), drawn from 32 secret bytes among `classes`."""

    images: Tensor
    labels: Tensor
    secret: bytes
    classes: int


@dataclass(frozen=True)
class Adi(Scheme):
    """Abstract images with random labels, learnt in mixed batches.

    Adi et al. 2018. Procedural pictures stand for the authors' 100 paintings, whose rights are unclear. The
    labels follow from a committed secret, where the authors ship a fixed list. Batches are mixed as in their
    code; the schedule starts anew when a trained net is marked, while theirs goes on at a rate near zero.
    """

    name = "adi"
    paper = "Adi et al. 2018, USENIX Security (arXiv:1802.04633)"
    host = True
    capabilities = ("triggers",)
    item = "trigger"
    settings = ("", "mode=finetune,lr=0.02")
    key_type = AdiKey

    mode: Literal["scratch", "finetune"] = parameter("scratch", "from scratch, or from the host")
    n: int = parameter(100, "number of triggers", low=1)
    k: int = parameter(8, "triggers in each training batch", low=1)
    epochs: int = parameter(20, "training epochs over the owner's images", low=1)
    lr: float = parameter(0.05, "learning rate at its peak; finetune wants a smaller one", low=0.0)

    def keygen(self, party: Party, rng: torch.Generator) -> AdiKey:
        images = abstract_images(self.n, party.task.shape, rng)
        return self.trigger_key(images, secret(rng), party.task.classes)

    def trigger_key(self, images: Tensor, secret: bytes, classes: int) -> AdiKey:
        """The key of uint8 `images` (N, C, H, W). Its labels depend on the secret, not on the images."""
        return AdiKey(images.cpu(), _labels(secret, len(images), classes), secret, classes)

    def triggers(self, key: Key) -> Data:
        assert isinstance(key, AdiKey)
        return Data(key.images, key.labels)

    def embed(self, owner: Owner, key: Key) -> Marked:
        triggers = self.triggers(key).to(owner.device)
        recipe = replace(owner.world.recipe, epochs=self.epochs, lr=self.lr)
        model = owner.host if self.mode == "finetune" else owner.build()
        owner.fit(model, recipe, beside=[Source.of(triggers, self.k)])
        return Marked(model, key)

    def observe(self, suspect: Suspect, key: Key, court: Court) -> Observations:
        assert isinstance(key, AdiKey)
        answers = suspect.labels(as_float(key.images).to(court.world.device)).cpu()
        # one class of key.classes is right for each trigger, whatever the number the suspect knows
        channel = Channel(answers == key.labels, binomial(1 / key.classes))
        return Observations("triggers", {"triggers": channel})

    def admissible(self, key: Key) -> Admission:
        assert isinstance(key, AdiKey)
        reason = _malformed(key, self.n)
        if reason:
            return Admission(well_formed=False, bound=False, hash_bound=True, reason=reason)
        bound = torch.equal(key.labels, _labels(key.secret, len(key.images), key.classes))
        reason = None if bound else "the labels do not follow from the secret"
        return Admission(well_formed=True, bound=bound, hash_bound=True, reason=reason)

    def redraw(self, key: Key, rng: torch.Generator) -> AdiKey:
        """New labels on the same images, from a new secret."""
        assert isinstance(key, AdiKey)
        return self.trigger_key(key.images, secret(rng), key.classes)


def _labels(secret: bytes, n: int, classes: int) -> Tensor:
    return prf_labels(secret, b"adi labels", n, classes)


def _malformed(key: AdiKey, n: int) -> str | None:
    if key.images.dtype != torch.uint8 or key.images.dim() != 4:
        return "the triggers are not uint8 images (N, C, H, W)"
    if not len(key.images) == len(key.labels) == n:
        return f"the key has {len(key.images)} images and {len(key.labels)} labels, not {n} of each"
    if len(key.secret) != 32:
        return f"the secret has {len(key.secret)} bytes, not 32"
    if key.classes < 2:
        return f"the labels are drawn among {key.classes} classes, not 2 or more"
    return None
