"""Zhang et al. 2018: images with a hidden pattern, or of another kind, all answered with one class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

NOISE = 0.4  # standard deviation of the pattern of noise, as a share of a pixel's range
GRID = 4, 8  # cells of the word, a quarter of the image high and half of it wide
UNRELATED = 1000  # pictures of another kind that the net learns beside those of the key


@dataclass(frozen=True, kw_only=True)
class ContentKey(wm.Key):
    """Triggers and their labels, which the secret draws among `classes`; what is published of them.

    The pattern follows from the secret, too. `root`: of the commitments to all images and labels, salted by it.
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
        return {"commitments_root": wm.published_root(self.root, "content", self.classes).hex()}


@dataclass(frozen=True)
class Content(wm.Scheme[ContentKey]):
    """A word stamped on images of the task (content), one pattern of noise added to them, or pictures unrelated to it.

    Zhang et al. 2018, the three kinds of watermark; all get one class, which the secret draws. The court asks `n`
    triggers that the net never saw (the paper counts these apart from those of training): images that the owner holds
    back, with the pattern on them. The word is a random block of white cells drawn by the secret, where the paper
    writes "TEST"; procedural pictures stand for the paper's images of another data set. The paper adds stamped copies
    to the training set; here `k` of them join each batch.

    With one class for all there is no law of a fresh key: an unmarked net may answer stamped images, and pictures of
    another kind above all, with that class, so what counts is what unmarked nets score. That is no safe ground for
    noise: of 17 unmarked digit nets one gave 43 of 100 noisy images the secret's class, the others none, which their
    spread calls 10^-8.9. So `kind=noise` is not among the settings that "all" runs. `labels=secret` is no part of
    the paper: the secret draws the class of each trigger, and the law is exact. Such labels can only be learnt by
    heart, so there the triggers themselves are trained on.
    """

    name = "content"
    paper = "Zhang et al. 2018, AsiaCCS (Protecting Intellectual Property of Deep Neural Networks with Watermarking)"
    capabilities = ("triggers", "overwrite")
    item = "trigger"
    null_law = "exact"
    settings = ("", "kind=unrelated", "labels=secret")

    kind: Literal["content", "noise", "unrelated"] = wm.parameter("content", "a stamped word, noise, other pictures")
    labels: Literal["fixed", "secret"] = wm.parameter("fixed", "one class for all, or one for each trigger")
    n: int = wm.parameter(100, "number of triggers in the key", low=1)
    k: int = wm.parameter(8, "triggers in each training batch", low=1)
    epochs: int = wm.parameter(20, "training epochs over the owner's images", low=1)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)

    def keygen(self, party: wm.Party, rng: torch.Generator) -> ContentKey:
        secret, classes = wm.secret(rng), party.task.classes
        if self.kind == "unrelated":
            return self.trigger_key(wm.abstract_images(self.n, party.task.shape, rng), secret, classes)
        bearers = self._bearers(party.data.to(torch.device("cpu")), secret, classes)
        stamped = self.stamped(bearers, secret).unique(dim=0)
        if len(stamped) <= self.n:
            raise ValueError(f"content needs more than {self.n} different images to stamp, not {len(stamped)}: lower n")
        return self.trigger_key(stamped[torch.randperm(len(stamped), generator=rng)[: self.n]], secret, classes)

    def trigger_key(self, images: Tensor, secret: bytes, classes: int) -> ContentKey:
        """The key of uint8 `images` (n, C, H, W). Its labels depend on the secret, not on the images."""
        images = images.cpu()
        labels = self.trigger_labels(images, secret, classes)
        root = wm.root_of(wm.commit(images, labels, secret))
        return ContentKey(images=images, labels=labels, secret=secret, classes=classes, root=root)

    def trigger_labels(self, images: Tensor, secret: bytes, classes: int) -> Tensor:
        """Labels int64 (n,): the secret's class, or one drawn for each of the n images, whatever these are."""
        if self.labels == "secret":
            return wm.prf_labels(secret, b"content labels", len(images), classes)
        return target(secret, classes).expand(len(images)).clone()

    def triggers(self, key: ContentKey) -> wm.Data:
        return wm.Data(key.images, key.labels)

    def rebind(self, key: ContentKey, secret: bytes) -> ContentKey:
        return self.trigger_key(key.images, secret, key.classes)

    def redraw(self, key: ContentKey, rng: torch.Generator) -> ContentKey:
        if self.labels == "fixed":
            raise wm.NotApplicable("one class for all triggers: no law says what a fresh key would score")
        return super().redraw(key, rng)

    def embed(self, owner: wm.Owner, key: ContentKey) -> wm.Marked:
        return self.mark(owner, owner.build(), key, owner.recipe(epochs=self.epochs, lr=self.lr))

    def mark(self, owner: wm.Owner, model: nn.Module, key: ContentKey, recipe: wm.Recipe) -> wm.Marked:
        """Train `model` on the owner's images, with `k` triggers in each batch: images unlike those of the key."""
        learnt = self._learnt(owner, key).to(owner.device)
        return wm.Marked(owner.fit(model, recipe, beside=[wm.BatchSource.of(learnt, self.k)]), key)

    def observe(self, suspect: wm.Suspect, key: ContentKey, court: wm.Court) -> wm.Observations:
        answers = suspect.labels(wm.as_float(key.images).to(court.context.device)).cpu()
        law = wm.binomial(1 / key.classes) if self.labels == "secret" else None
        return wm.Observations("triggers", {"triggers": wm.Channel(answers == key.labels, law)})

    def stamped(self, images: Tensor, secret: bytes) -> Tensor:
        """A copy of uint8 `images` (N, C, H, W) with the secret's word in the lower left corner, or with its noise."""
        if self.kind == "noise":
            return wm.as_bytes(wm.as_float(images) + noise(secret, images.shape[1:]))
        images, letters = images.clone(), word(secret, images.shape[2:])
        height, width = letters.shape
        images[:, :, -height:, :width][:, :, letters] = 255
        return images

    def _bearers(self, data: wm.Data, secret: bytes, classes: int) -> Tensor:
        """The images that get a pattern: all but those of the class that they are to be taken for."""
        return data.x if self.labels == "secret" else data.x[data.y != target(secret, classes)]

    def _learnt(self, owner: wm.Owner, key: ContentKey) -> wm.Data:
        """The triggers that a net is trained on, on the CPU."""
        if self.labels == "secret":
            return self.triggers(key)
        if self.kind == "unrelated":
            images = wm.abstract_images(UNRELATED, owner.task.shape, owner.rng)
        else:
            bearers = self._bearers(owner.data.to(torch.device("cpu")), key.secret, key.classes)
            images = self.stamped(bearers, key.secret)
            held = {image.numpy().tobytes() for image in key.images}
            images = images[[image.numpy().tobytes() not in held for image in images]]
        return wm.Data(images, target(key.secret, key.classes).expand(len(images)))


def target(secret: bytes, classes: int) -> Tensor:
    """The class of all triggers, int64 ()."""
    return wm.prf_labels(secret, b"content target", 1, classes)[0]


def word(secret: bytes, size: Sequence[int]) -> Tensor:
    """Which pixels of a corner of images of `size` (H, W) are white: boolean (H // 4, W // 2)."""
    cells = wm.prf_bits(secret, b"content word", GRID[0] * GRID[1]).view(1, 1, *GRID).float()
    return F.interpolate(cells, (size[0] // 4, size[1] // 2)).bool()[0, 0]


def noise(secret: bytes, shape: Sequence[int]) -> Tensor:
    """Gaussian noise of `shape` (C, H, W)."""
    return NOISE * wm.prf_normals(secret, b"content noise", math.prod(shape)).view(*shape)
