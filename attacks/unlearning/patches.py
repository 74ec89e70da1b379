"""Patches that take any image to one class: for each class the smallest is sought, and then unlearnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.repair.channels import PASSED_AT_ONCE, silenced, writers
from attacks.unlearning.layers import watching
from benchmark import contract as wm

PATCH_RATE = 0.1  # of Adam, as published
TRIED = 16  # images that every class's patch is tried on in each step


@dataclass(frozen=True)
class Patches:
    """By class: a mask (classes, 1, H, W) in [0, 1], and the pixels (classes, C, H, W) that stand where it is 1."""

    mask: Tensor
    pixels: Tensor

    def on(self, x: Tensor, classes: Tensor) -> Tensor:
        """Images (N, C, H, W), each with the patch of one of `classes` (N,)."""
        mask = self.mask[classes]
        return (1 - mask) * x + mask * self.pixels[classes]


def reversed_patches(thief: wm.Thief, model: nn.Module, data: wm.Data, steps: int, weight: float) -> Patches:
    """For each class the patch that takes images of `data` to it, `weight` times the mask's mean being its price."""
    model = model.eval().requires_grad_(False)
    classes, (channels, high, wide) = thief.task.classes, thief.task.shape
    mask, pixels = (
        torch.randn(classes, one, high, wide, generator=thief.rng).to(thief.device) for one in (1, channels)
    )
    goals = torch.arange(classes, device=thief.device).repeat_interleave(TRIED)

    def loss() -> Tensor:
        chosen = torch.randint(len(data), (TRIED,), generator=thief.rng).to(data.x.device)
        x = wm.as_float(data.x[chosen]).repeat(classes, 1, 1, 1)
        found = Patches(mask.sigmoid(), pixels.sigmoid())
        return classes * (F.cross_entropy(model(found.on(x, goals)), goals) + weight * mask.sigmoid().mean())

    thief.minimise(loss, [mask.requires_grad_(), pixels.requires_grad_()], steps, PATCH_RATE, images=len(goals))
    model.requires_grad_(True)
    return Patches(mask.detach().sigmoid(), pixels.detach().sigmoid())


def stamped(thief: wm.Thief, data: wm.Data, patches: Patches) -> wm.Data:
    """`data` under its own labels, each image with the patch of a class drawn at random."""
    which = torch.randint(thief.task.classes, (len(data),), generator=thief.rng).to(thief.device)
    return wm.Data(wm.as_bytes(patches.on(data.images(), which)), data.y)


@dataclass(frozen=True)
class NeuralCleanse(wm.Attack):
    """The smallest patch that takes any image to a class is sought for every class, stamped on images, and unlearnt.

    Wang et al. 2019, section VI-C (unlearning). Mask and pixels of a patch are found by Adam, for all classes at once,
    and stamped on images that keep their labels, a tenth as many as clean ones (a fifth there). Different: they unlearn
    the patches of classes where it is far smaller than the median. On digits that was the 8, which needs the fewest
    pixels, and not the class of the mark; a thief has nothing to lose, and unlearns all. The price of a mask is fixed,
    where theirs rises and falls with the share of images that arrive, and the net is trained for longer than their one
    pass, at a rate that falls. Labels are bought.
    """

    name = "neural-cleanse"
    family = "unlearning"
    kind = "removal"
    access = "weights"
    paper = "Wang et al. 2019, IEEE S&P"

    steps: int = wm.parameter(100, "steps of Adam that seek the patches", low=1)
    weight: float = wm.parameter(30.0, "price of a mask that covers the whole image", low=0.0)
    share: float = wm.parameter(0.1, "stamped images beside each batch, as a share of it", low=0.0, high=1.0)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, own = wm.plain(thief.model), thief.annotated
        patches = reversed_patches(thief, model, own, self.steps, self.weight)
        return unlearnt(thief, model, stamped(thief, own, patches), self.share, self.lr, self.epochs)


@dataclass(frozen=True)
class Laundering(wm.Attack):
    """Channels that a patch wakes are silenced, and the net is trained on with patched images under their own labels.

    Aiken et al. 2021: Neural Cleanse's patches, then every channel goes whose mean answer rises by more than a
    threshold when the patch is there, .8 in convolutions and .2 in dense layers, and the rest is trained for 15 passes
    on clean and patched images. Here a rise is measured in the largest of its layer, so that a threshold means the same
    in all layers, and the one dense layer is the head, whose inputs are channels. Labels are bought.
    """

    name = "laundering"
    family = "unlearning"
    kind = "removal"
    access = "weights"
    paper = "Aiken et al. 2021, Computers & Security (arXiv:2004.11368)"

    steps: int = wm.parameter(100, "steps of Adam that seek the patches", low=1)
    weight: float = wm.parameter(30.0, "price of a mask that covers the whole image", low=0.0)
    threshold: float = wm.parameter(0.8, "rise, as a share of its layer's largest, from which a channel goes", low=0.0)
    share: float = wm.parameter(0.1, "stamped images beside each batch, as a share of it", low=0.0, high=1.0)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, own = wm.unfused(wm.plain(thief.model)), thief.annotated
        patched = stamped(thief, own, reversed_patches(thief, model, own, self.steps, self.weight))
        rises = dict(zip(writers(model), rise(model, own.images(), patched.images()), strict=True))
        model = silenced(model, {name: up > self.threshold * up.max() for name, up in rises.items()})
        return unlearnt(thief, model, patched, self.share, self.lr, self.epochs)


def unlearnt(thief: wm.Thief, model: nn.Module, patched: wm.Data, share: float, lr: float, epochs: int) -> nn.Module:
    """`model`, trained on the thief's images, with a `share` as many of `patched` beside each batch."""
    recipe = thief.recipe(lr=lr, epochs=epochs)
    beside = [wm.BatchSource.of(patched, max(1, round(share * recipe.batch)))] if share else []
    return thief.fit(model, recipe, data=thief.annotated, beside=beside)


@torch.no_grad()
def rise(model: nn.Module, clean: Tensor, patched: Tensor) -> list[Tensor]:
    """How much more each channel answers in the mean to patched images than to clean ones: (C,) for each writer."""
    layers: Sequence[nn.Module] = [model.get_submodule(name) for name in writers(model)]
    with watching(layers, "leaves") as seen:

        def answers(x: Tensor) -> list[Tensor]:
            means = [torch.zeros(())] * len(layers)
            for part in x.split(PASSED_AT_ONCE):
                model.eval()(part)
                for index, (layer, one) in enumerate(zip(layers, seen, strict=True)):
                    place = -1 if isinstance(layer, nn.Linear) else 1  # of the channels; they come last in tokens
                    mean = one.relu().movedim(place, 0).flatten(1).mean(1)
                    means[index] = means[index].to(mean) + mean * (len(part) / len(x))
            return means

        return [after - before for after, before in zip(answers(patched), answers(clean), strict=True)]
