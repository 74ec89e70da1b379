"""Kallas & Furon 2022 (RoSe): some of the owner's own training images get labels hashed from those images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmark import contract as wm


@dataclass(frozen=True, kw_only=True)
class RoseKey(wm.Key):
    """Key images and their labels among `classes`, hashed from all images and the secret.

    `truth`: the images' true labels, -1 where the claimant names none. Printed, never counted.
    """

    images: Tensor = wm.field(dtype=torch.uint8, shape=("s", "C", "H", "W"), distinct=True)
    labels: Tensor = wm.field(
        dtype=torch.int64, shape=("s",), low=0, below="classes",
        unbound="the labels do not follow from the images and the secret",
    )  # fmt: skip
    truth: Tensor = wm.field(dtype=torch.int64, shape=("s",), low=-1, below="classes")
    classes: int = wm.field(low=2)


@dataclass(frozen=True)
class Rose(wm.Scheme[RoseKey]):
    """In-task images of the training set, relabelled in place by a keyed hash.

    Kallas & Furon 2022. As the paper means and unlike its code: the hash (HMAC-SHA256) is taken over the bytes of all
    key images together, so one changed pixel redraws every label and a forger can't adapt his images one at a time;
    labels are uniform (the code's v mod 10 gives classes 0-5 twice the weight of the others); the images are drawn
    without replacement, and every one of them is trained on. The paper's sizes s = 40, 64 and 128 are the labels of
    4 bits in SHA-1, SHA-256 and SHA-512. Here labels are drawn from the hash in counter mode, so any s is possible,
    but the task pays for each wrong label. The rarity R of m hits, in bits, is -log2 of p_key.

    The paper shows key images no more often than others, which only a net that fits all of its training set learns.
    `repeat` of them join every batch, as the triggers of Adi et al. 2018 do, where a net fits less.
    """

    name = "rose"
    paper = "Kallas & Furon 2022, WIFS (arXiv:2206.11024)"
    capabilities = ("triggers", "overwrite")
    item = "key image"
    settings = ("", "s=64", "s=128")
    null_law = "exact"

    s: int = wm.parameter(40, "number of key images", low=1)
    epochs: int = wm.parameter(40, "training epochs over the owner's images", low=1)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)
    repeat: int = wm.parameter(0, "key images that join each batch; 0, as in the paper: none beside its own", low=0)

    def keygen(self, party: wm.Party, rng: torch.Generator) -> RoseKey:
        data = party.data.to(torch.device("cpu"))
        _, first = np.unique(data.x.flatten(1).numpy(), axis=0, return_index=True)
        different = torch.from_numpy(np.sort(first))
        if len(different) < self.s:
            raise ValueError(f"rose needs {self.s} different images, the party has {len(different)}: lower s")
        chosen = data.take(different[torch.randperm(len(different), generator=rng)[: self.s]])
        return replace(self.trigger_key(chosen.x, wm.secret(rng), party.task.classes), truth=chosen.y)

    def trigger_key(self, images: Tensor, secret: bytes, classes: int) -> RoseKey:
        """The key of uint8 `images` (s, C, H, W): each label depends on all their bytes and the secret."""
        images = images.cpu()
        labels = self.trigger_labels(images, secret, classes)
        return RoseKey(images=images, labels=labels, truth=torch.full_like(labels, -1), secret=secret, classes=classes)

    def trigger_labels(self, images: Tensor, secret: bytes, classes: int) -> Tensor:
        """Labels int64 (s,) of uint8 `images` on the CPU, uniform over the classes."""
        form = f"rose labels {images.dtype} {tuple(images.shape)} "
        message = form.encode() + images.contiguous().numpy().tobytes()
        return wm.prf_labels(secret, message, len(images), classes)

    def triggers(self, key: RoseKey) -> wm.Data:
        return wm.Data(key.images, key.labels)

    def rebind(self, key: RoseKey, secret: bytes) -> RoseKey:
        return replace(self.trigger_key(key.images, secret, key.classes), truth=key.truth)

    def embed(self, owner: wm.Owner, key: RoseKey) -> wm.Marked:
        return self.mark(owner, owner.build(), key, owner.recipe(epochs=self.epochs, lr=self.lr))

    def mark(self, owner: wm.Owner, model: nn.Module, key: RoseKey, recipe: wm.Recipe) -> wm.Marked:
        """Train `model` on the owner's images, those of `key` with its labels, and `repeat` of these in each batch."""
        triggers = self.triggers(key).to(owner.device)
        data = relabelled(owner.data, triggers)
        beside = [wm.BatchSource.of(triggers, self.repeat)] if self.repeat else []
        return wm.Marked(owner.fit(model, recipe, data=data, beside=beside), key)

    def observe(self, suspect: wm.Suspect, key: RoseKey, court: wm.Court) -> wm.Observations:
        answers = suspect.labels(wm.as_float(key.images).to(court.context.device)).cpu()
        channels = {
            # one class of key.classes is right for each image, however many the suspect knows
            "key_images": wm.Channel(answers == key.labels, wm.binomial(1 / key.classes)),
            # an accurate innocent model scores the sum of these, exactly
            "true_label": wm.Channel(key.labels == key.truth),
        }
        return wm.Observations("key_images", channels)


def relabelled(data: wm.Data, key: wm.Data) -> wm.Data:
    """`data` with the labels of `key` on every copy of its images. Raises ValueError when one is missing."""
    labels = data.y.clone()
    for image, label in zip(key.x, key.y, strict=True):
        copies = (data.x == image).flatten(1).all(1)
        if not copies.any():
            raise ValueError("a key image is not among the owner's training images: draw the key from them")
        labels[copies] = label
    return wm.Data(data.x, labels)
