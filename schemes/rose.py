"""Kallas & Furon 2022 (RoSe): some of the owner's own training images get labels hashed from those images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

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
    Recipe,
    Scheme,
    Suspect,
    as_float,
    binomial,
    parameter,
    prf_labels,
    secret,
)


@dataclass(frozen=True)
class RoseKey(Key):
    """Key images uint8 (s, C, H, W); labels int64 (s,), hashed from all images and 32 secret bytes.

    `truth` int64 (s,): the images' true labels, -1 where the claimant names none. Printed, never counted.
    """

    images: Tensor
    labels: Tensor
    truth: Tensor
    secret: bytes
    classes: int


@dataclass(frozen=True)
class Rose(Scheme):
    """In-task images of the training set, relabelled in place by a keyed hash.

    Kallas & Furon 2022. As the paper means and unlike its code: the hash (HMAC-SHA256) is taken over the
    bytes of all key images together, so one changed pixel redraws every label and a forger can't adapt his
    images one at a time; labels are uniform (the code's v mod 10 gives classes 0-5 twice the weight of the
    others); the images are drawn without replacement, and every one of them is trained on. The paper's sizes are
    s = 40, 64 and 128: as many labels of 4 bits as SHA-1, SHA-256 and SHA-512 give. Here any s goes, for labels
    are drawn from the hash in counter mode, but each is a wrong label that the task pays for: of 1,000 training
    images s = 128 are an eighth. The rarity R of m hits, in bits, is -log2 of p_key.
    """

    name = "rose"
    paper = "Kallas & Furon 2022, WIFS (arXiv:2206.11024)"
    capabilities = ("triggers", "overwrite")
    item = "key image"
    settings = ("", "s=64", "s=128")
    null_law = "exact"
    key_type = RoseKey

    s: int = parameter(40, "number of key images", low=1)
    epochs: int = parameter(40, "training epochs over the owner's images", low=1)
    lr: float = parameter(0.05, "learning rate at its peak", low=0.0)

    def keygen(self, party: Party, rng: torch.Generator) -> RoseKey:
        data = Data(party.data.x.cpu(), party.data.y.cpu())
        index = _first_copies(data.x)
        if len(index) < self.s:
            raise ValueError(f"rose needs {self.s} different images, the party has {len(index)}: lower s")
        chosen = data.take(index[torch.randperm(len(index), generator=rng)[: self.s]])
        return replace(self.trigger_key(chosen.x, secret(rng), party.task.classes), truth=chosen.y)

    def trigger_key(self, images: Tensor, secret: bytes, classes: int) -> RoseKey:
        """The key of uint8 `images` (N, C, H, W): each label depends on all their bytes and the secret."""
        images = images.cpu()
        labels = self.trigger_labels(images, secret, classes)
        return RoseKey(images, labels, torch.full_like(labels, -1), secret, classes)

    def trigger_labels(self, images: Tensor, secret: bytes, classes: int) -> Tensor:
        """Labels int64 (N,) of uint8 `images` on the CPU, uniform over the classes."""
        form = f"rose labels {images.dtype} {tuple(images.shape)} "
        message = form.encode() + images.contiguous().numpy().tobytes()
        return prf_labels(secret, message, len(images), classes)

    def triggers(self, key: Key) -> Data:
        assert isinstance(key, RoseKey)
        return Data(key.images, key.labels)

    def embed(self, owner: Owner, key: Key) -> Marked:
        return self.mark(owner, owner.build(), key, replace(owner.context.recipe, epochs=self.epochs, lr=self.lr))

    def mark(self, owner: Owner, model: nn.Module, key: Key, recipe: Recipe) -> Marked:
        """Train `model` on the owner's images, those of `key` with its labels."""
        data = relabelled(owner.data, self.triggers(key).to(owner.device))
        return Marked(owner.fit(model, recipe, data=data), key)

    def observe(self, suspect: Suspect, key: Key, court: Court) -> Observations:
        assert isinstance(key, RoseKey)
        answers = suspect.labels(as_float(key.images).to(court.context.device)).cpu()
        channels = {
            # one class of key.classes is right for each image, whatever the number the suspect knows
            "key_images": Channel(answers == key.labels, binomial(1 / key.classes)),
            # an accurate innocent model scores the sum of these, exactly
            "true_label": Channel(key.labels == key.truth),
        }
        return Observations("key_images", channels)

    def admissible(self, key: Key) -> Admission:
        assert isinstance(key, RoseKey)
        reason = _malformed(key, self.s)
        if reason:
            return Admission(well_formed=False, bound=False, hash_bound=True, reason=reason)
        bound = torch.equal(key.labels, self.trigger_labels(key.images, key.secret, key.classes))
        reason = None if bound else "the labels do not follow from the images and the secret"
        return Admission(well_formed=True, bound=bound, hash_bound=True, reason=reason)

    def redraw(self, key: Key, rng: torch.Generator) -> RoseKey:
        """New labels on the same images, from a new secret."""
        assert isinstance(key, RoseKey)
        return replace(self.trigger_key(key.images, secret(rng), key.classes), truth=key.truth)


def relabelled(data: Data, key: Data) -> Data:
    """`data` with the labels of `key` on every copy of its images. Raises ValueError when one is missing."""
    labels = data.y.clone()
    for image, label in zip(key.x, key.y, strict=True):
        copies = (data.x == image).flatten(1).all(1)
        if not copies.any():
            raise ValueError("a key image is not among the owner's training images: draw the key from them")
        labels[copies] = label
    return Data(data.x, labels)


def _first_copies(x: Tensor) -> Tensor:
    """The positions in (N, ...) at which an image stands for the first time, in ascending order."""
    _, group = torch.unique(x.flatten(1), dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(x))
    first.scatter_reduce_(0, group, torch.arange(len(x)), "amin")
    return first.sort().values


def _malformed(key: RoseKey, s: int) -> str | None:
    if key.images.dtype != torch.uint8 or key.images.dim() != 4:
        return "the key images are not uint8 (N, C, H, W)"
    if not len(key.images) == len(key.labels) == s:
        return f"the key has {len(key.images)} images and {len(key.labels)} labels, not {s} of each"
    if len(torch.unique(key.images.flatten(1), dim=0)) < s:
        return "the same image stands in the key twice"
    if len(key.secret) != 32:
        return f"the secret has {len(key.secret)} bytes, not 32"
    if key.classes < 2:
        return f"the labels are drawn among {key.classes} classes, not 2 or more"
    return None
