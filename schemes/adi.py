"""Adi et al. 2018: abstract images with random labels, learnt beside the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm


@dataclass(frozen=True, kw_only=True)
class AdiKey(wm.Key):
    """Triggers and their labels, which the secret draws among `classes`; what is published of them.

    `root`: of the commitments to all images and labels, salted by the secret.
    """

    images: Tensor = wm.field(dtype=torch.uint8, shape=("n", "C", "H", "W"), distinct=True)
    labels: Tensor = wm.field(
        dtype=torch.int64, shape=("n",), low=0, below="classes", unbound="the labels do not follow from the secret"
    )
    classes: int = wm.field(low=2)
    root: bytes = wm.field(
        length=32, unbound="the images and labels are not those of the commitments whose root the key names"
    )

    def public(self) -> dict[str, str]:
        return {"commitments_root": wm.published_root(self.root, "adi", self.classes).hex()}


@dataclass(frozen=True)
class Adi(wm.Scheme[AdiKey]):
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

    mode: Literal["scratch", "finetune"] = wm.parameter("scratch", "from scratch, or from the host")
    n: int = wm.parameter(100, "number of triggers", low=1)
    k: int = wm.parameter(8, "triggers in each training batch", low=1)
    epochs: int = wm.parameter(20, "training epochs over the owner's images", low=1)
    lr: float = wm.parameter(0.05, "learning rate at its peak; finetune wants a smaller one", low=0.0)
    folder: str = wm.parameter("", "pictures to take for triggers, in the order of their numbers; empty: procedural")

    def keygen(self, party: wm.Party, rng: torch.Generator) -> AdiKey:
        shape = party.task.shape
        images = wm.pictures(self.folder, self.n, shape) if self.folder else wm.abstract_images(self.n, shape, rng)
        return self.trigger_key(images, wm.secret(rng), party.task.classes)

    def trigger_key(self, images: Tensor, secret: bytes, classes: int) -> AdiKey:
        """The key of uint8 `images` (n, C, H, W). Its labels depend on the secret, not on the images."""
        images = images.cpu()
        labels = self.trigger_labels(images, secret, classes)
        root = wm.root_of(wm.commit(images, labels, secret))
        return AdiKey(images=images, labels=labels, secret=secret, classes=classes, root=root)

    def trigger_labels(self, images: Tensor, secret: bytes, classes: int) -> Tensor:
        """Labels int64 (n,), uniform over the classes, whatever the n images are."""
        return wm.prf_labels(secret, b"adi labels", len(images), classes)

    def triggers(self, key: AdiKey) -> wm.Data:
        return wm.Data(key.images, key.labels)

    def rebind(self, key: AdiKey, secret: bytes) -> AdiKey:
        return self.trigger_key(key.images, secret, key.classes)

    def embed(self, owner: wm.Owner, key: AdiKey) -> wm.Marked:
        model = owner.host if self.mode == "finetune" else owner.build()
        return self.mark(owner, model, key, owner.recipe(epochs=self.epochs, lr=self.lr))

    def mark(self, owner: wm.Owner, model: nn.Module, key: AdiKey, recipe: wm.Recipe) -> wm.Marked:
        """Train `model` on the owner's images, with `k` triggers in each batch."""
        triggers = self.triggers(key).to(owner.device)
        return wm.Marked(owner.fit(model, recipe, beside=[wm.BatchSource.of(triggers, self.k)]), key)

    def observe(self, suspect: wm.Suspect, key: AdiKey, court: wm.Court) -> wm.Observations:
        answers = suspect.labels(wm.as_float(key.images).to(court.context.device)).cpu()
        # one class of key.classes is right for each trigger, however many the suspect knows
        channel = wm.Channel(answers == key.labels, wm.binomial(1 / key.classes))
        return wm.Observations("triggers", {"triggers": channel})
