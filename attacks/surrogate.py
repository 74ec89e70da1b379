"""Against image-to-image services: a surrogate learns from the images that the service sends, marked or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.contract import Attack, Data, Net, Owner, Source, Thief, as_bytes, as_float, parameter


@dataclass(frozen=True)
class Surrogate(Attack):
    """A fresh net learns the service's images for the thief's own degraded ones, by architecture and loss.

    Zhang et al. 2021, section 5: a plain net, residual nets of 9 and 16 blocks, a UNet; squared or absolute error.
    Their adversarial and perceptual losses are left out: the second needs VGG's weights. With `augment`, pairs are
    turned and mirrored at random, which the authors' follow-up (arXiv:2108.02360) names as what breaks the mark.
    """

    name = "surrogate"
    family = "extraction"
    kind = "extraction"
    access = "outputs"
    tasks = ("image-to-image",)
    paper = "Zhang et al. 2021, TPAMI (arXiv:2103.04980)"
    settings = ("architecture=unet", "architecture=residual", "architecture=plain", "loss=l1", "augment=true")

    architecture: Literal["unet", "residual", "plain"] = parameter("unet", "of the surrogate")
    blocks: int = parameter(9, "residual blocks of the residual net", low=1)
    loss: Literal["l2", "l1"] = parameter("l2", "squared or absolute error of a pixel")
    augment: bool = parameter(False, "turn and mirror the pairs at random")
    epochs: int = parameter(24, "passes over the thief's images", low=1)

    def run(self, thief: Thief) -> nn.Module:
        spec = dict(thief.world.spec(self.architecture))
        if self.architecture == "residual":
            spec["blocks"] = self.blocks
        model = thief.assemble(spec)
        error = F.l1_loss if self.loss == "l1" else F.mse_loss

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, answers),) = batches
            if self.augment:
                x, answers = turned(x, answers, thief.rng)
            return error(model(x), answers)

        recipe = replace(thief.world.recipe, epochs=self.epochs)
        pairs = bought(thief)
        return thief.fit(model, recipe, data=Source.of(pairs, min(recipe.batch, len(pairs))), step=step)


def bought(thief: Thief) -> Data:
    """The thief's images with the service's answers to them, as the 8-bit images that a service sends."""
    return Data(thief.inputs, as_bytes(thief.ask(as_float(thief.inputs), "outputs")))


def turned(x: Tensor, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each square pair of (n, C, H, W) under its own one of the eight symmetries of the square."""
    both = torch.cat([x, y], 1)
    for move in (lambda z: z.flip(3), lambda z: z.flip(2), lambda z: z.transpose(2, 3)):
        chosen = torch.rand(len(both), 1, 1, 1, generator=rng).to(both.device) < 0.5
        both = torch.where(chosen, move(both), both)
    return both[:, : x.shape[1]], both[:, x.shape[1] :]


@dataclass(frozen=True)
class OverwriteImages(Attack):
    """A surrogate of the service, marked over again with the thief's own key by the scheme's public code.

    Overwriting (arXiv:2302.08637): the thief learns an embedder of his own on the answers he got, and puts it behind
    his surrogate. He claims nothing; whether the first mark is still read is the question.
    """

    name = "overwrite-images"
    family = "overwriting"
    kind = "removal"
    access = "outputs"
    tasks = ("image-to-image",)
    requires = "embedder"
    paper = "Chen et al. 2023, arXiv:2302.08637"

    def run(self, thief: Thief) -> nn.Module:
        pairs = bought(thief)
        recipe = thief.world.recipe
        surrogate = thief.fit(thief.build(), recipe, data=Source.of(pairs, min(recipe.batch, len(pairs))))
        host = Net.of(surrogate)
        owner = Owner(thief.world, pairs, thief.rng, host, thief.meter)
        return thief.scheme.embed(owner, thief.keygen(host)).model
