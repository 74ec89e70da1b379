"""Adi et al. 2018: abstract images with random labels, learnt beside the task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.contract import (
    Admission,
    BatchSource,
    Channel,
    Court,
    Data,
    Key,
    Marked,
    Observations,
    Owner,
    Party,
    Recipe,
    Scheme,
    Suspect,
    abstract_images,
    as_float,
    binomial,
    commit,
    parameter,
    pictures,
    prf_labels,
    root_of,
    secret,
)


@dataclass(frozen=True)
class AdiKey(Key):
    """Triggers uint8 (n, C, H, W); their labels int64 (n,), drawn from 32 secret bytes among `classes`.

    `root`: of the commitments to all images and labels, salted by the secret; published.
    """

    images: Tensor
    labels: Tensor
    secret: bytes
    classes: int
    root: bytes

    def public(self) -> dict[str, str]:
        return {"commitments_root": self.root.hex()}


@dataclass(frozen=True)
class Adi(Scheme):
    """Abstract images with random labels, learnt in mixed batches.

    Adi et al. 2018. Procedural pictures stand for the authors' 100 paintings, whose rights are unclear, unless
    `folder` names pictures: they are scaled to cover the task's shape, where the authors' code cuts 32x32 pixels out
    of the middle of large photographs, which leaves patches of nearly one colour. The labels follow from a committed
    secret, where the authors ship a fixed list. Batches are mixed as in their code; the schedule starts anew when
    a trained net is marked, while theirs goes on at a rate near zero.
    """

    name = "adi"
    paper = "Adi et al. 2018, USENIX Security (arXiv:1802.04633)"
    host = True
    capabilities = ("triggers", "overwrite")
    item = "trigger"
    null_law = "exact"
    settings = ("", "mode=finetune,lr=0.02")
    file_parameters = ("folder",)
    secret_files = ("folder",)
    key_type = AdiKey

    mode: Literal["scratch", "finetune"] = parameter("scratch", "from scratch, or from the host")
    n: int = parameter(100, "number of triggers", low=1)
    k: int = parameter(8, "triggers in each training batch", low=1)
    epochs: int = parameter(20, "training epochs over the owner's images", low=1)
    lr: float = parameter(0.05, "learning rate at its peak; finetune wants a smaller one", low=0.0)
    folder: str = parameter("", "pictures to take for triggers, in the order of their numbers; empty: procedural ones")

    def keygen(self, party: Party, rng: torch.Generator) -> AdiKey:
        shape = party.task.shape
        images = pictures(self.folder, self.n, shape) if self.folder else abstract_images(self.n, shape, rng)
        return self.trigger_key(images, secret(rng), party.task.classes)

    def trigger_key(self, images: Tensor, secret: bytes, classes: int) -> AdiKey:
        """The key of uint8 `images` (N, C, H, W). Its labels depend on the secret, not on the images."""
        images = images.cpu()
        labels = self.trigger_labels(images, secret, classes)
        return AdiKey(images, labels, secret, classes, root_of(commit(images, labels, secret)))

    def trigger_labels(self, images: Tensor, secret: bytes, classes: int) -> Tensor:
        """Labels int64 (N,), uniform over the classes, whatever the N images are."""
        return prf_labels(secret, b"adi labels", len(images), classes)

    def triggers(self, key: Key) -> Data:
        assert isinstance(key, AdiKey)
        return Data(key.images, key.labels)

    def embed(self, owner: Owner, key: Key) -> Marked:
        model = owner.host if self.mode == "finetune" else owner.build()
        return self.mark(owner, model, key, replace(owner.context.recipe, epochs=self.epochs, lr=self.lr))

    def mark(self, owner: Owner, model: nn.Module, key: Key, recipe: Recipe) -> Marked:
        """Train `model` on the owner's images, with `k` triggers in each batch."""
        triggers = self.triggers(key).to(owner.device)
        return Marked(owner.fit(model, recipe, beside=[BatchSource.of(triggers, self.k)]), key)

    def observe(self, suspect: Suspect, key: Key, court: Court) -> Observations:
        assert isinstance(key, AdiKey)
        answers = suspect.labels(as_float(key.images).to(court.context.device)).cpu()
        # one class of key.classes is right for each trigger, whatever the number the suspect knows
        channel = Channel(answers == key.labels, binomial(1 / key.classes))
        return Observations("triggers", {"triggers": channel})

    def admissible(self, key: Key) -> Admission:
        assert isinstance(key, AdiKey)
        reason = _malformed(key, self.n)
        if reason:
            return Admission(well_formed=False, bound=False, hash_bound=True, reason=reason)
        if not torch.equal(key.labels, self.trigger_labels(key.images, key.secret, key.classes)):
            reason = "the labels do not follow from the secret"
        elif root_of(commit(key.images, key.labels, key.secret)) != key.root:
            reason = "the images and labels are not those of the commitments whose root the key names"
        return Admission(well_formed=True, bound=reason is None, hash_bound=True, reason=reason)

    def redraw(self, key: Key, rng: torch.Generator) -> AdiKey:
        """New labels on the same images, from a new secret."""
        assert isinstance(key, AdiKey)
        return self.trigger_key(key.images, secret(rng), key.classes)


def _malformed(key: AdiKey, n: int) -> str | None:
    if key.images.dtype != torch.uint8 or key.images.dim() != 4:
        return "the triggers are not uint8 images (N, C, H, W)"
    if not len(key.images) == len(key.labels) == n:
        return f"the key has {len(key.images)} images and {len(key.labels)} labels, not {n} of each"
    if len(key.images.flatten(1).unique(dim=0)) < n:
        return "the same image stands in the key twice"
    if len(key.secret) != 32:
        return f"the secret has {len(key.secret)} bytes, not 32"
    if key.classes < 2:
        return f"the labels are drawn among {key.classes} classes, not 2 or more"
    return None
