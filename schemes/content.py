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
from schemes.adi import AdiKey

NOISE = 0.4  # standard deviation of the pattern of noise, as a share of a pixel's range
GRID = 4, 8  # cells of the word, a quarter of the image high and half of it wide
UNRELATED = 1000  # pictures of another kind that the net learns beside those of the key
STRANGERS = 1000  # other secrets whose patterns the net learns to disregard
FIRST = 19  # fresh secrets that the court asks about beside the claimed one
CONTROLS = 3  # strangers' patterns: an image that most of them turn into a secret's class is no hit of that secret


@dataclass(frozen=True, kw_only=True)
class ContentKey(AdiKey):
    """Triggers, as those of Adi; the secret draws the pattern on them and their one class, or a class for each.

    Where they bear a pattern and have one class they are examples, to be opened one by one: the court stamps images of
    its own.
    """

    def public(self) -> dict[str, str]:
        return {"commitments_root": wm.published_root(self.root, "content", self.classes).hex()}


@dataclass(frozen=True)
class Content(wm.Scheme[ContentKey]):
    """A word stamped on images of the task (content), one pattern of noise added to them, or pictures unrelated to it.

    Zhang et al. 2018, the three kinds of watermark; all get one class, which the secret draws. The word is a random
    block of white cells that the secret draws, where the paper writes "TEST"; procedural pictures stand for the paper's
    images of another data set. The paper adds stamped copies to the training set; here `k` of them join each batch.

    One class for all makes hits come together: an unmarked digit net gave 98 of 100 noisy images one class, others
    none. So the court stamps `n` images of its own by the claimed secret, and the same images by fresh secrets, which
    draw other patterns and classes, and ranks the claimed one among these: an exact p-value, whatever a net makes of
    noise. A hit is an image that gets a secret's class with its pattern, and with one of three strangers' at most.
    The paper's net takes any word or noise for the owner's, and a tenth of all fresh secrets have his class. So here as
    many images join each batch that bear patterns of other secrets under their true labels: the owner's pattern alone
    is the mark.

    Pictures of another kind have no pattern, so a fresh secret is another class alone, and there is no law: what counts
    is what unmarked nets score. `labels=secret` is no part of the paper: the secret draws the class of each trigger,
    and the law is in closed form. Such labels can only be learnt by heart, so the triggers themselves are trained on.
    """

    name = "content"
    paper = "Zhang et al. 2018, AsiaCCS (Protecting Intellectual Property of Deep Neural Networks with Watermarking)"
    capabilities = ("triggers", "overwrite")
    item = "trigger"
    null_law = "redrawn"
    settings = ("", "kind=noise", "kind=unrelated", "labels=secret")

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
        if len(stamped) < self.n:
            raise ValueError(f"content needs {self.n} different images to stamp, not {len(stamped)}: lower n")
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
        if self.labels == "fixed" and self.kind == "unrelated":
            raise wm.NotApplicable("one class for all pictures: no law says what a fresh key would score")
        return super().redraw(key, rng)

    def embed(self, owner: wm.Owner, key: ContentKey) -> wm.Marked:
        return self.mark(owner, owner.build(), key, owner.recipe(epochs=self.epochs, lr=self.lr))

    def mark(self, owner: wm.Owner, model: nn.Module, key: ContentKey, recipe: wm.Recipe) -> wm.Marked:
        """Train `model` on the owner's images, with `k` triggers in each batch, and `k` that bear others' patterns."""
        beside = [wm.BatchSource.of(one.to(owner.device), self.k) for one in self._learnt(owner, key)]
        return wm.Marked(owner.fit(model, recipe, beside=beside), key)

    def observe(self, suspect: wm.Suspect, key: ContentKey, court: wm.Court) -> wm.Observations:
        if self.labels == "fixed" and self.kind != "unrelated":
            return wm.Observations("triggers", {"triggers": self._ranked(suspect, key, court)})
        answers = suspect.labels(wm.as_float(key.images).to(court.context.device)).cpu()
        law = wm.binomial(1 / key.classes) if self.labels == "secret" else None
        return wm.Observations("triggers", {"triggers": wm.Channel(answers == key.labels, law)})

    def _ranked(self, suspect: wm.Suspect, key: ContentKey, court: wm.Court) -> wm.Channel:
        """Images of the judge's own, stamped by the claimed secret, and by fresh ones that have other classes, too."""
        order = torch.randperm(len(court.probe), generator=court.rng)
        labels = court.probe.y.cpu()[order]
        others = [(labels != goal).nonzero()[: self.n, 0] for goal in range(key.classes)]
        if (least := min(map(len, others))) < self.n:
            raise ValueError(f"the judge has {least} images of other classes to stamp, not {self.n}: lower n")
        own = court.probe.x[order[: 1 + max(int(rows[-1]) for rows in others)]].cpu()

        def draw(count: int) -> list[bytes]:
            return [wm.secret(court.rng) for _ in range(count)]

        def answers(images: Sequence[Tensor], secrets: Sequence[bytes]) -> Tensor:
            stamped = torch.cat([self.stamped(some, one) for some, one in zip(images, secrets, strict=True)])
            keyed = len(stamped) // (FIRST + 1)  # as many of the judge's own go beside, whether or not one is the key's
            found = suspect.labels(wm.as_float(stamped).to(court.context.device), keyed).cpu()
            return found.view(len(secrets), -1)

        strangers = draw(CONTROLS + FIRST)
        strange = answers([own] * CONTROLS, strangers[:CONTROLS])

        def hits(secrets: Sequence[bytes], part: slice) -> Tensor:
            goals = torch.stack([target(one, key.classes) for one in secrets])[:, None]
            rows = [others[goal][part] for goal in goals[:, 0].tolist()]
            anyway = (strange[:, torch.stack(rows)] == goals).sum(0) > CONTROLS // 2
            return (answers([own[some] for some in rows], secrets) == goals) & ~anyway

        first = hits([key.secret, *strangers[CONTROLS:]], slice(self.n))
        claimed, *totals = first.sum(1).tolist()
        law = wm.redrawn_in_turn(totals, claimed, wm.read_in_part(self.n, claimed, draw, hits))
        return wm.Channel(first[0], law)

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

    def _learnt(self, owner: wm.Owner, key: ContentKey) -> list[wm.Data]:
        """What a net is trained on beside the task, on the CPU: triggers, and images with others' patterns."""
        if self.labels == "secret":
            return [self.triggers(key)]
        if self.kind == "unrelated":
            images = wm.abstract_images(UNRELATED, owner.task.shape, owner.rng)
            return [wm.Data(images, target(key.secret, key.classes).expand(len(images)))]
        data = owner.data.to(torch.device("cpu"))
        images = self.stamped(self._bearers(data, key.secret, key.classes), key.secret)
        data = data.take(torch.randperm(len(data), generator=owner.rng))
        strange = torch.cat([self.stamped(some, wm.secret(owner.rng)) for some in data.x.chunk(STRANGERS)])
        return [wm.Data(images, target(key.secret, key.classes).expand(len(images))), wm.Data(strange, data.y)]


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
