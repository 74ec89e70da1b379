"""Channels that a mark needs and the task does not, found by training a mask over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from attacks.repair.channels import strongest, writers
from benchmark import contract as wm

CUTS = tuple(step / 20 for step in range(19))  # 0, .05, ... .9
CLEAN = 0.2  # weight of the clean loss; the rest is that of the perturbed net
EPSILON = 0.4  # most that a scale or shift is perturbed by, as a share of it
MASK_RATE = 0.2  # of the masks
CHOOSING = 4  # every so-many-th image chooses the threshold, and trains no mask


@dataclass(frozen=True)
class Anp(wm.Attack):
    """Adversarial neuron pruning: channels that fail first when all of them are perturbed are silenced.

    Wu & Wang 2021. In each step scales and shifts are perturbed by up to 0.4 of themselves towards the largest loss, in
    one step by sign, and a mask of the scales learns to keep the loss low, clean and perturbed (weight 0.2 and 0.8).
    Then the channels with the smallest masks get scale 0, by the largest threshold up to 0.9 at which images that
    trained no mask are still answered as before, 98 of 100 of them (the authors' is 0.2; BackdoorBench sweeps it). The
    perturbation starts at none, where theirs starts at random, and statistics of normalisation are those that came with
    the net, where their code takes each batch's. Labels are bought. On the narrow net of digits (16, 32 and 64
    channels) no threshold passed in the one seed that was tried, and nothing was silenced.
    """

    name = "anp"
    family = "neuron pruning"
    kind = "removal"
    access = "weights"
    paper = "Wu & Wang 2021, NeurIPS (arXiv 2110.14430)"

    epochs: int = wm.parameter(60, "passes over the thief's images that train the masks", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        masked, (train, choosing) = Masked(wm.plain(thief.model)), apart(thief.annotated)

        def loss(x: Tensor, y: Tensor) -> Tensor:
            noise = [torch.zeros_like(one, requires_grad=True) for one in (*masked.masks, *masked.masks)]
            clean = F.cross_entropy(masked(x, noise), y)
            slopes = torch.autograd.grad(clean, noise, retain_graph=True, materialize_grads=True)
            worst = F.cross_entropy(masked(x, [EPSILON * slope.sign() for slope in slopes]), y)
            return CLEAN * clean + (1 - CLEAN) * worst

        cuts = masked.trained(thief, train, self.epochs, loss)
        return strongest(masked.model.requires_grad_(True), cuts, choosing.images(), shifts=False)


def apart(data: wm.Data) -> tuple[wm.Data, wm.Data]:
    """Images that train masks, and others that choose the threshold."""
    chooses = torch.arange(len(data), device=data.x.device) % CHOOSING == 0
    return data.take((~chooses).nonzero().flatten()), data.take(chooses.nonzero().flatten())


class Masked:
    """A plain net whose scales are multiplied by masks, one number from 0 to 1 a channel; only masks are trained."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.requires_grad_(False)
        self.names = writers(model)
        weights = (cast(Tensor, model.get_submodule(name).weight) for name in self.names)
        self.masks = [nn.Parameter(weight.new_ones(len(weight))) for weight in weights]

    def __call__(self, x: Tensor, noise: Sequence[Tensor] = ()) -> Tensor:
        """Answers to `x`, where `noise` is added to the masks and, in its second half, to the factors of shifts."""
        changed = {}
        for index, (name, mask) in enumerate(zip(self.names, self.masks, strict=True)):
            writer = self.model.get_submodule(name)
            scale, weight = (mask + noise[index] if noise else mask), cast(Tensor, writer.weight)
            changed[f"{name}.weight"] = weight * scale.view(-1, *[1] * (weight.dim() - 1))
            if noise and writer.bias is not None:
                changed[f"{name}.bias"] = cast(Tensor, writer.bias) * (1 + noise[len(self.masks) + index])
        return cast(Tensor, functional_call(self.model, changed, (x,)))

    def trained(
        self, thief: wm.Thief, data: wm.Data, epochs: int, loss: Callable[[Tensor, Tensor], Tensor]
    ) -> list[dict[str, Tensor]]:
        """Train the masks; for each of `CUTS`, the channels whose mask is not above it, boolean (C,) by writer."""

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            with torch.no_grad():
                for mask in self.masks:
                    mask.clamp_(0, 1)
            return loss(*batches[0])

        recipe = thief.recipe(epochs=epochs, lr=MASK_RATE, schedule="constant", weight_decay=0.0)
        # the head alone is in training mode: statistics stay
        thief.fit(self.model, recipe, data=data, step=step, parameters=self.masks, only=wm.head(self.model))
        return [
            {name: mask.detach() <= threshold for name, mask in zip(self.names, self.masks, strict=True)}
            for threshold in CUTS
        ]
