"""Forged passports: a thief claims the unchanged marked model with passports of his own (DeepIPR's fake1 to fake3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.contract import (
    Attack,
    Claim,
    ConvBlock,
    Loot,
    Net,
    NotApplicable,
    Owner,
    PassportScheme,
    Recipe,
    Thief,
    conv_blocks,
    head,
    parameter,
    plain,
    secret,
)


@dataclass(frozen=True)
class Fake1(Attack):
    """Fresh passports, installed without any training.

    Fan et al. 2019. The authors draw them with a net that is by mistake untrained on CIFAR; a thief has better:
    `trained` takes the activations of the plain net that he trains on his own images, `noise` is uniform on (-1, 1).
    One claim instead of the mean over repeated draws. The bits belong to the forger's own secret, or are those that
    fit his passports where the scheme leaves them free.
    """

    name = "fake1"
    family = "forged passports"
    paper = "Fan et al., Rethinking Deep Neural Network Ownership Verification, NeurIPS 2019 (arXiv 1909.07830)"
    kind = "ambiguity"
    requires = "passports"
    settings = ("passports=noise", "passports=untrained", "passports=trained")

    passports: Literal["noise", "untrained", "trained"] = parameter("trained", "where the passports come from")

    def run(self, thief: Thief) -> Loot:
        scheme = _scheme(thief)
        if self.passports == "noise":
            pairs = [
                (_uniform(p_gamma, thief.rng), _uniform(p_beta, thief.rng))
                for p_gamma, p_beta in scheme.passports(thief.model)
            ]
            return Loot(claim=Claim(scheme.passport_key(thief.model, pairs, secret(thief.rng))))
        owner = thief.as_owner()
        if self.passports == "untrained":
            owner = Owner(thief.world, thief.data, thief.rng, Net.of(thief.build()), thief.meter)
        drawn = scheme.install(thief.model, thief.scheme.keygen(owner, thief.rng))
        return Loot(claim=Claim(scheme.passport_key(thief.model, scheme.passports(drawn), secret(thief.rng))))


@dataclass(frozen=True)
class Fake2(Attack):
    """Scales and shifts trained for the forger's own signs, and passports that derive them.

    Fan et al. 2019: everything is frozen but scale and shift of the passport layers, which start at the forger's
    signs and 0 and are trained on the thief's images. The paper's forger stops there and hands over the scales; a
    judge asks for passports, and a convolution is linear in them, so the least passports that give these scales
    through the layer's own filters follow by least squares. Normalisation statistics stay frozen too, unlike in the
    authors' code: the claim is on the model as it was delivered.
    """

    name = "fake2"
    family = "forged passports"
    paper = "Fan et al., Rethinking Deep Neural Network Ownership Verification, NeurIPS 2019 (arXiv 1909.07830)"
    kind = "ambiguity"
    requires = "passports"
    settings = ("lr=0.01", "lr=0.2")

    epochs: int = parameter(30, "passes over the thief's images", low=1)
    lr: float = parameter(0.2, "learning rate, constant; 0.01 in the authors' code", low=0.0)
    magnitude: float = parameter(1.0, "size of every scale before training", low=0.0)

    def run(self, thief: Thief) -> Loot:
        scheme, own = _scheme(thief), secret(thief.rng)
        shipped = scheme.passports(thief.model)
        signs = scheme.signs(scheme.passport_key(thief.model, shipped, own))
        model = plain(thief.model).requires_grad_(False)
        blocks = _passported(thief.model, model)
        for block, sign in zip(blocks, signs, strict=True):
            block.norm.weight.data = self.magnitude * sign.to(thief.device)
            block.norm.bias.data = torch.zeros_like(block.norm.weight)
        scales = [one for block in blocks for one in (block.norm.weight, block.norm.bias)]
        _train(thief, model, scales, Recipe(self.epochs, self.lr, schedule="constant"))
        pairs = [
            (_deriving(block.conv, p_gamma, block.norm.weight), _deriving(block.conv, p_beta, block.norm.bias))
            for block, (p_gamma, p_beta) in zip(blocks, shipped, strict=True)
        ]
        return Loot(claim=Claim(scheme.passport_key(thief.model, pairs, own)))


@dataclass(frozen=True)
class Fake3(Attack):
    """The shipped passports, trained away from themselves towards the forger's own signs; the weights stay frozen.

    Fan et al. 2019 (asked for by a reviewer: maximise the distance from the original passport, minimise the loss).
    Cross-entropy, the sign loss for the forger's bits, and `distance` / MSE(original, forged) of every passport. Half
    of the signs are new, since the bits follow from the forger's secret; the authors turn a chosen share. Normalisation
    statistics stay frozen, unlike in the authors' code: the claim is on the model as it was delivered.
    A passport moves its scale slowly (the derivation is ill-conditioned), hence the large rate; and so many new signs
    cost accuracy here, which `alpha` trades for bits: fake2, which forgets the original, is the stronger forger.
    """

    name = "fake3"
    family = "forged passports"
    paper = "Fan et al., Rethinking Deep Neural Network Ownership Verification, NeurIPS 2019 (arXiv 1909.07830)"
    kind = "ambiguity"
    requires = "passports"
    settings = ("", "alpha=0.03")

    epochs: int = parameter(60, "passes over the thief's images", low=1)
    lr: float = parameter(1.0, "learning rate, constant; 0.01 and far more steps in the authors' code", low=0.0)
    alpha: float = parameter(0.1, "weight of the sign loss: less keeps the accuracy and turns fewer signs", low=0.0)
    margin: float = parameter(0.1, "gamma_0, the least scale the sign loss asks for", low=0.0)
    distance: float = parameter(1e-4, "weight of the distance term; 1 in the authors' code", low=0.0)
    clip: float = parameter(2.0, "largest gradient norm", low=0.0)

    def run(self, thief: Thief) -> Loot:
        scheme, own = _scheme(thief), secret(thief.rng)
        shipped = scheme.passports(thief.model)
        near = [(_nudged(p_gamma, thief.rng), _nudged(p_beta, thief.rng)) for p_gamma, p_beta in shipped]
        key = scheme.passport_key(thief.model, near, own)
        model = scheme.install(thief.model, key).requires_grad_(False)
        blocks = _passported(model, model)
        forged = _trainable(model, [one for pair in scheme.passports(model) for one in pair])
        original = [one.detach().clone() for pair in shipped for one in pair]
        signs = [sign.to(thief.device) for sign in scheme.signs(key)]

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            loss = F.cross_entropy(model(x), y)
            for block, p_gamma, sign in zip(blocks, forged[::2], signs, strict=True):
                loss = loss + self.alpha * F.relu(self.margin - sign * _scale(block.conv, p_gamma)).sum()
            for mine, theirs in zip(forged, original, strict=True):
                loss = loss + self.distance / F.mse_loss(mine, theirs)
            return loss

        recipe = Recipe(self.epochs, self.lr, schedule="constant", clip=self.clip)
        _train(thief, model, forged, recipe, step)
        return Loot(claim=Claim(scheme.passport_key(thief.model, scheme.passports(model), own)))


def _scheme(thief: Thief) -> PassportScheme:
    scheme = thief.scheme
    if not isinstance(scheme, PassportScheme):
        raise NotApplicable(f"{scheme.name} has no passports to forge")
    return scheme


def _uniform(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=rng) * 2 - 1


def _nudged(passport: Tensor, rng: torch.Generator) -> Tensor:
    return passport + 1e-3 * torch.randn(passport.shape, generator=rng).to(passport.device)


def _scale(conv: nn.Conv2d, passport: Tensor) -> Tensor:
    """What a layer derives from a passport (1, C_in, H, W): the mean of each filter's answer, (C_out,)."""
    return conv(passport).mean((0, 2, 3))


def _passported(model: nn.Module, twin: nn.Module) -> list[ConvBlock]:
    """The blocks of `twin` in whose place `model` has one without a scale of its own."""
    pairs = zip(conv_blocks(model), conv_blocks(twin), strict=True)
    return [its for (_, block), (_, its) in pairs if not block.norm.affine]


def _trainable(model: nn.Module, buffers: Sequence[Tensor]) -> list[nn.Parameter]:
    """Make parameters of some buffers of `model`; in the order given."""
    made: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if any(buffer is one for one in buffers):
                made[id(buffer)] = nn.Parameter(buffer.clone())
                delattr(module, name)
                setattr(module, name, made[id(buffer)])
    return [made[id(buffer)] for buffer in buffers]


def _train(
    thief: Thief,
    model: nn.Module,
    parameters: Sequence[nn.Parameter],
    recipe: Recipe,
    step: Callable[[Sequence[tuple[Tensor, Tensor]]], Tensor] | None = None,
) -> None:
    """Train `parameters` alone, with every normalisation in eval mode: of `model`, only its linear head is in train."""
    for one in parameters:
        one.requires_grad_()
    thief.fit(model, recipe, step=step, parameters=parameters, only=head(model))


@torch.no_grad()
def _deriving(conv: nn.Conv2d, like: Tensor, wanted: Tensor) -> Tensor:
    """The least passport, shaped like `like` (1, C_in, H, W), from which `conv` derives `wanted` (C_out,).

    The derivation is linear, so its Jacobian (C_out, C_in H W) says it all. Where a layer has fewer independent
    filters than channels (1x1 shortcuts), this is the nearest.
    """
    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(lambda passport: _scale(conv, passport), torch.zeros_like(like))
    flat = cast(Tensor, jacobian).flatten(1)
    return (torch.linalg.pinv(flat) @ wanted).view_as(like)
