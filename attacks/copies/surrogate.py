"""Against image-to-image services: a surrogate learns from the images that the service sends, marked or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

ADVERSARIAL = 0.01  # weight of the discriminator's loss beside the error of a pixel, 1 to 100 in the authors' code
DENOISED = 0.1  # standard deviation of what the thief's denoiser takes out, of 1


@dataclass(frozen=True)
class Surrogate(wm.Attack):
    """A fresh net learns the service's images for the thief's own degraded ones, by architecture and loss.

    Zhang et al. 2021, section 5: a plain net, residual nets of 9 and 16 blocks, a UNet; the squared or the absolute
    error of a pixel; the squared error with a PatchGAN that learns to tell the service's images from the surrogate's
    (`adversarial`), or with the squared distance of features (`perceptual`). Their features are VGG's, whose weights
    would have to be downloaded; here they are the hidden layers of a UNet that the thief trains to take noise out of
    his own images, and the distance is scaled to weigh as much as that of pixels. With `augment`, pairs are turned
    and mirrored at random, which the authors' follow-up (arXiv:2108.02360) names as what breaks the mark.
    """

    name = "surrogate"
    family = "extraction"
    kind = "extraction"
    access = "outputs"
    tasks = ("image-to-image",)
    paper = "Zhang et al. 2021, TPAMI (arXiv:2103.04980)"
    settings = (
        "architecture=unet", "architecture=residual", "architecture=residual,blocks=16", "architecture=plain",
        "loss=l1", "loss=adversarial", "loss=perceptual", "augment=true",
    )  # fmt: skip

    architecture: Literal["unet", "residual", "plain"] = wm.parameter("unet", "of the surrogate")
    blocks: int = wm.parameter(9, "residual blocks of the residual net", low=1)
    loss: Literal["l2", "l1", "adversarial", "perceptual"] = wm.parameter(
        "l2", "squared or absolute error of a pixel; the squared one with a discriminator's, or with that of features"
    )
    augment: bool = wm.parameter(False, "turn and mirror the pairs at random")
    epochs: int = wm.parameter(24, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        spec = dict(thief.context.spec(self.architecture))
        if self.architecture == "residual":
            spec["blocks"] = self.blocks
        model = thief.assemble(spec)
        pairs = bought(thief)
        error = self._error(thief, pairs)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, answers),) = batches
            return error(model(x), answers)

        moved = turned if self.augment else None
        return thief.fit(model, thief.recipe(epochs=self.epochs), data=pairs, step=step, augment=moved)

    def _error(self, thief: wm.Thief, pairs: wm.Data) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss of a surrogate's images against the service's."""
        if self.loss == "adversarial":
            critic = wm.Critic(thief.assemble({"builder": "patchgan", "channels": pairs.x.shape[1]}))
            return lambda made, real: F.mse_loss(made, real) + ADVERSARIAL * critic.loss(real, made)
        if self.loss == "perceptual":
            seen, scale = features(thief, pairs)
            return lambda made, real: F.mse_loss(made, real) + scale * F.mse_loss(seen(made), seen(real))
        return F.l1_loss if self.loss == "l1" else F.mse_loss


def features(thief: wm.Thief, pairs: wm.Data) -> tuple[Callable[[Tensor], Tensor], float]:
    """Hidden layers of the thief's own denoiser, and the weight at which their spread is that of the pixels."""
    denoiser = cast(wm.UNet, thief.assemble(thief.context.spec("unet")))

    thief.fit(denoiser, data=wm.Data(pairs.x, pairs.x), augment=noisy)
    seen = denoiser.requires_grad_(False).trunk.features
    images = wm.as_float(pairs.y)
    return seen, float(images.var(0).mean() / seen(images).var(0).mean())


def noisy(x: Tensor, _: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images (n, C, H, W) with noise on them, and without: what a denoiser is given, and what it has to give."""
    return x + DENOISED * torch.randn(x.shape, generator=rng, device=rng.device).to(x.device), x


def bought(thief: wm.Thief) -> wm.Data:
    """The thief's images with the service's answers to them, as the 8-bit images that a service sends."""
    return wm.Data(thief.inputs, wm.as_bytes(thief.ask(wm.as_float(thief.inputs), "outputs")))


def turned(x: Tensor, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each square pair of (n, C, H, W) under its own one of the eight symmetries of the square."""
    return moved_alike(x, y, (lambda z: z.flip(3), lambda z: z.flip(2), lambda z: z.transpose(2, 3)), rng)


def moved_alike(
    x: Tensor, y: Tensor, moves: Sequence[Callable[[Tensor], Tensor]], rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Pairs of (n, C, H, W), each under every one of the moves in turn or, by even chance, not."""
    both = torch.cat([x, y], 1)
    for move in moves:
        chosen = torch.rand(len(both), 1, 1, 1, generator=rng, device=rng.device).to(both.device) < 0.5
        both = torch.where(chosen, move(both), both)
    return both[:, : x.shape[1]], both[:, x.shape[1] :]


@dataclass(frozen=True)
class OverwriteImages(wm.Attack):
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

    def run(self, thief: wm.Thief) -> nn.Module:
        pairs = bought(thief)
        host = wm.Net.of(thief.fit(thief.build(), data=pairs))
        marked: wm.Marked = thief.scheme.embed(thief.as_owner(host, pairs), thief.keygen(host))
        return marked.model
