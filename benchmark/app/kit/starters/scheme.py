"""A starter: a scheme that runs as it is. `bench new scheme NAME` copies it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmark import contract as wm


@dataclass(frozen=True, kw_only=True)
class MySchemeKey(wm.Key):
    """Pictures, and the labels among `classes` that the secret draws for them."""

    images: Tensor = wm.field(dtype=torch.uint8, shape=("n", "C", "H", "W"), distinct=True)
    labels: Tensor = wm.field(
        dtype=torch.int64, shape=("n",), low=0, below="classes", unbound="the labels do not follow from the secret"
    )
    classes: int = wm.field(low=2)


@dataclass(frozen=True)
class MyScheme(wm.Scheme[MySchemeKey]):
    """Abstract pictures with random labels, learnt beside the task."""

    # CHANGE ME: what is read without running this file, so literals alone. `bench describe adi` shows others' traits.
    name = "my-scheme"
    item = "picture"  # what one item of a key is called
    null_law = "exact"  # how often a fresh key hits by chance: exact (a formula), redrawn (from fresh keys) or none
    settings = ("", "n=60")  # what is run; the first is the one that boards show, "" stands for the defaults
    paper = ""  # authors, year, venue

    # CHANGE ME: parameters, each with its unit and range.
    n: int = wm.parameter(100, "number of pictures", low=1)
    epochs: int = wm.parameter(20, "training epochs over the owner's images", low=1)

    def keygen(self, party: wm.Party, rng: torch.Generator) -> MySchemeKey:
        """What is drawn, by the owner or by a forger: all from `rng`."""
        images = wm.abstract_images(self.n, party.task.shape, rng)
        unlabelled = torch.zeros(self.n, dtype=torch.int64)
        key = MySchemeKey(images=images, labels=unlabelled, classes=party.task.classes, secret=bytes(32))
        return self.rebind(key, wm.secret(rng))

    def rebind(self, key: MySchemeKey, secret: bytes) -> MySchemeKey:
        """What follows from a secret by a public rule, so that nobody can choose it."""
        labels = wm.prf_labels(secret, b"my-scheme labels", len(key.images), key.classes)
        return replace(key, labels=labels, secret=secret)

    def embed(self, owner: wm.Owner, key: MySchemeKey) -> wm.Marked:
        """How the mark gets into a model: here 8 pictures join each batch of the owner's images."""
        marks = wm.BatchSource.of(wm.Data(key.images, key.labels).to(owner.device), 8)
        model = owner.fit(owner.build(), owner.recipe(epochs=self.epochs), beside=[marks])
        return wm.Marked(model, key)

    def observe(self, suspect: wm.Suspect, key: MySchemeKey, court: wm.Court) -> wm.Observations:
        """One number per item, never a verdict, and how often an item of a fresh key is a hit by chance."""
        answers = suspect.labels(wm.as_float(key.images).to(court.context.device)).cpu()
        channel = wm.Channel(answers == key.labels, wm.binomial(1 / key.classes))
        return wm.Observations("pictures", {"pictures": channel})
