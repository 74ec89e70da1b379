"""Reversed triggers: for every class the smallest stamp that turns all images into it; the mark's own stands out."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.unlearning.layers import convolutions, watching
from benchmark import contract as wm

AT_ONCE = 12  # images that a step stamps, for every class
RATE = 0.1  # of Adam, as in the authors' code
OUTLYING, COMPARABLE = 2.0, 1.4826  # median absolute deviations below the median, made comparable to standard ones
MOST = 0.3  # share of the features that are cut at most
STAMPED = 5  # one image in so many is learnt stamped as well


@dataclass(frozen=True)
class Stamps:
    """For each of K classes: `mask` (K, 1, 1, H, W), how much of a pixel is replaced by `pattern` (K, 1, C, H, W)."""

    mask: Tensor
    pattern: Tensor

    def on(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1] under each stamp: (K, N, C, H, W)."""
        return x + self.mask * (self.pattern - x)

    def of(self, one: int, x: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1] under the stamp of one class."""
        return x + self.mask[one] * (self.pattern[one] - x)

    @property
    def suspects(self) -> list[int]:
        """The classes whose stamps are too small by far; where none is, that of the smallest."""
        sizes = self.mask.flatten(1).sum(1)
        gaps = sizes.quantile(0.5) - sizes  # of ten classes `median` takes the lower of the two in the middle
        apart = gaps / (COMPARABLE * gaps.abs().quantile(0.5) + 1e-6)
        return (apart > OUTLYING).nonzero().flatten().tolist() or [int(sizes.argmin())]


@dataclass(frozen=True)
class NeuralCleanse(wm.Attack):
    """For each class the smallest stamp that turns any image into it; what the smallest of all does is unlearned.

    Wang et al. 2019. A mark with one class for all its triggers leaves a shortcut to that class, so its stamp is
    smaller by far: by more than two median absolute deviations. Then a fifth of the images is learnt stamped as well,
    under its true labels, or the features that rise most under the stamp are cut from the head, three in ten at most,
    until it works no more than by chance, and the net is trained on. Different: where no class stands out the smallest
    stamp is taken, for a thief has nothing to lose; the weight of a stamp's area is constant, as in the toolbox of
    Lukas et al. 2022, where the authors raise it as long as the stamp works. The stamps of all classes are searched for
    together, and a search takes `steps` steps of 12 images a class, where the paper goes over all images many times.
    The thief buys the labels that his images lack. Triggers that share no class leave no shortcut to look for.
    """

    name = "neural-cleanse"
    family = "unlearning"
    kind = "removal"
    access = "weights"
    paper = "Wang et al. 2019, IEEE S&P"
    settings = ("", "mode=prune")

    mode: Literal["unlearn", "prune"] = wm.parameter("unlearn", "stamped images learnt rightly, or features cut")
    steps: int = wm.parameter(60, "steps of Adam on the stamps", low=1)
    size: float = wm.parameter(0.01, "weight of the area of a stamp, in pixels", low=0.0)
    lr: float = wm.parameter(0.02, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(10, "passes over the images that are trained on", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, own = wm.plain(thief.model), thief.annotated
        stamps = reversed_stamps(thief, model, own.images(), self.steps, self.size)
        if self.mode == "prune":
            for one in stamps.suspects:
                cut(model, own.images(), stamps.of(one, own.images()), one)
        taught = own if self.mode == "prune" else with_stamps(own, stamps, thief.rng)
        return thief.fit(model, thief.recipe(lr=self.lr, epochs=self.epochs), data=taught)


@dataclass(frozen=True)
class Laundering(wm.Attack):
    """Reversed stamps as in Neural Cleanse; units that rise under them are reset, and the net is trained anew on both.

    Aiken et al. 2021. A channel that rises by more than `conv` anywhere, and a neuron of a hidden linear layer by more
    than `dense`, becomes zero with its scale and shift, so that nothing of it is left; then stamped images are learnt
    under their true labels beside plain ones. Different: a stamp moves channels by several of their deviations, so the
    published 0.8 resets 13, 24 and 40 of a small net's 16, 32 and 64 channels, and `conv` is higher; without a suspect
    class the smallest stamp is taken; the thief buys the labels that his images lack.
    """

    name = "laundering"
    family = "unlearning"
    kind = "removal"
    access = "weights"
    paper = "Aiken et al. 2021, Computers & Security (arXiv:2004.11368)"

    conv: float = wm.parameter(3.0, "rise of a channel's activity, at any place, above which it is reset", low=0.0)
    dense: float = wm.parameter(0.2, "the same of a neuron of a hidden linear layer", low=0.0)
    steps: int = wm.parameter(60, "steps of Adam on the stamps", low=1)
    size: float = wm.parameter(0.01, "weight of the area of a stamp, in pixels", low=0.0)
    lr: float = wm.parameter(0.02, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(10, "passes over the images that are trained on", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, own = wm.plain(thief.model), thief.annotated
        x = own.images()
        stamps = reversed_stamps(thief, model, x, self.steps, self.size)
        for one in stamps.suspects:
            reset(model, x, stamps.of(one, x), self.conv, self.dense)
        return thief.fit(model, thief.recipe(lr=self.lr, epochs=self.epochs), data=with_stamps(own, stamps, thief.rng))


def reversed_stamps(thief: wm.Thief, model: nn.Module, x: Tensor, steps: int, size: float) -> Stamps:
    """For every class the stamp under which `model` takes images `x` (N, C, H, W) in [0, 1] for it, all at once."""
    frozen = copy.deepcopy(model).eval().requires_grad_(False)
    classes, (channels, height, width) = thief.task.classes, thief.task.shape
    labels = torch.arange(classes, device=thief.device).repeat_interleave(AT_ONCE)
    latent = torch.randn(classes, 1, channels + 1, height, width, generator=thief.rng).to(thief.device).requires_grad_()

    def stamps() -> Stamps:
        return Stamps(latent[:, :, :1].sigmoid(), latent[:, :, 1:].sigmoid())

    def loss() -> Tensor:
        few = x[torch.randint(len(x), (AT_ONCE,), generator=thief.rng).to(x.device)]
        now = stamps()
        answers = frozen(now.on(few).flatten(0, 1))
        return F.cross_entropy(answers, labels, reduction="sum") / AT_ONCE + size * now.mask.sum()

    thief.minimise(loss, [latent], steps, RATE, images=len(labels))
    latent.requires_grad_(False)
    return stamps()


def with_stamps(own: wm.Data, stamps: Stamps, rng: torch.Generator) -> wm.Data:
    """The images, and a fifth of them once more under the suspects' stamps, each suspect's on its own draw."""

    def stamped(one: int) -> wm.Data:
        few = own.take(torch.randperm(len(own), generator=rng)[: -(-len(own) // STAMPED)].to(own.x.device))
        return wm.Data(wm.as_bytes(stamps.of(one, few.images())), few.y)

    return reduce(wm.Data.joined, map(stamped, stamps.suspects), own)


@torch.no_grad()
def cut(model: nn.Module, x: Tensor, stamped: Tensor, target: int) -> None:
    """Features that rise most under the stamp are cut from the head, until the stamp works no more than by chance."""
    head = wm.head(model)
    (name,) = (name for name, layer in model.named_modules() if layer is head)
    rise = wm.entering(model, [name], stamped)[0].mean(0) - wm.entering(model, [name], x)[0].mean(0)
    order = rise.argsort(descending=True)[: round(MOST * len(rise))]
    for chunk in order.split(max(1, len(rise) // 100)):
        if (wm.logits(model, stamped).argmax(1) == target).float().mean() <= 1 / head.out_features:
            break
        head.weight[:, chunk] = 0


@torch.no_grad()
def reset(model: nn.Module, x: Tensor, stamped: Tensor, conv: float, dense: float) -> None:
    """Every unit that rises under the stamp by more than its threshold becomes zero, with all that leads to it."""
    hidden = [layer for layer in model.modules() if isinstance(layer, nn.Linear) and layer is not wm.head(model)]
    layers = [*convolutions(model), *hidden]
    with watching(layers, "leaves") as found:
        model.eval()(x)
        before = [made.mean(0) for made in found]
        model(stamped)
        rises = [made.mean(0) - earlier for made, earlier in zip(found, before, strict=True)]
    for layer, rise in zip(layers, rises, strict=True):
        rising = rise.flatten(1).amax(1) > conv if rise.dim() == 3 else rise > dense
        for tensor in layer.parameters():
            tensor[rising] = 0
