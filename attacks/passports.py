"""Forged passports: a thief claims the unchanged marked model with passports of his own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.passport_forging import passport_scheme, scale_of, train_alone
from benchmark.contract import (
    Attack,
    AttackResult,
    Claim,
    ConvBlock,
    Net,
    PassportScheme,
    Recipe,
    Thief,
    entering,
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
    fit his passports where the scheme leaves them free. A private branch (V2, V3) gets statistics from his images.
    """

    name = "fake1"
    family = "forged passports"
    paper = "Fan et al., Rethinking Deep Neural Network Ownership Verification, NeurIPS 2019 (arXiv 1909.07830)"
    kind = "ambiguity"
    requires = "passports"
    settings = ("passports=noise", "passports=untrained", "passports=trained")

    passports: Literal["noise", "untrained", "trained"] = parameter("trained", "where the passports come from")

    def run(self, thief: Thief) -> AttackResult:
        scheme = passport_scheme(thief)
        if self.passports == "noise":
            shapes = _inputs(thief, plain(thief.model), scheme)
            pairs = [(_uniform(one, thief.rng), _uniform(one, thief.rng)) for one in shapes]
        else:
            pairs = _drawn(thief, Net.of(thief.build()) if self.passports == "untrained" else None)
        key = scheme.passport_key(thief.model, pairs, secret(thief.rng))
        return AttackResult(claim=Claim(scheme.calibrated(key, thief.model, thief)))


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

    def run(self, thief: Thief) -> AttackResult:
        scheme, own = passport_scheme(thief), secret(thief.rng)
        model, blocks, carried = _opened(thief, scheme)
        signs = scheme.signs(scheme.passport_key(thief.model, carried, own))
        for block, sign in zip(blocks, signs, strict=True):
            block.norm.weight.data = self.magnitude * sign.to(thief.device)
            block.norm.bias.data = torch.zeros_like(block.norm.weight)
        scales = [one for block in blocks for one in (block.norm.weight, block.norm.bias)]
        train_alone(thief, model, scales, Recipe(self.epochs, self.lr, schedule="constant"))
        pairs = _realised(blocks, carried, [(block.norm.weight, block.norm.bias) for block in blocks])
        return AttackResult(claim=Claim(scheme.passport_key(thief.model, pairs, own)))


@dataclass(frozen=True)
class AccessoryBlock(Attack):
    """A small fully connected block behind the forger's own derived scales and shifts, trained to make them fit.

    Chen et al. 2023 put such blocks (two layers, beside a direct path) between a passport and the scale it gives;
    some of the training data suffice. Inputs are the forger's passports by the scheme's recipe, from the plain net
    that he trains; the blocks alone learn, by cross-entropy and the sign loss for his own bits. The paper's forger
    shows a net with his blocks in it. A judge installs passports in the delivered model, so the claim is the least
    passports that derive, through its filters, what the blocks gave. Unlike fake2's, the signs are asked for all along.
    """

    name = "accessory-block"
    family = "forged passports"
    paper = "Chen et al., Effective Ambiguity Attack Against Passport-based DNN IP Protection (arXiv 2303.11595)"
    kind = "ambiguity"
    requires = "passports"

    epochs: int = parameter(30, "passes over the thief's images", low=1)
    lr: float = parameter(0.02, "learning rate at its peak", low=0.0)
    hidden: int = parameter(32, "width between the two layers of a block", low=1)
    alpha: float = parameter(0.1, "weight of the sign loss", low=0.0)
    margin: float = parameter(0.1, "gamma_0, the least scale the sign loss asks for", low=0.0)
    clip: float = parameter(5.0, "largest gradient norm", low=0.0)

    def run(self, thief: Thief) -> AttackResult:
        scheme, own = passport_scheme(thief), secret(thief.rng)
        drawn = _drawn(thief)
        signs = [sign.to(thief.device) for sign in scheme.signs(scheme.passport_key(thief.model, drawn, own))]
        model, blocks, _ = _opened(thief, scheme)
        with torch.no_grad():
            derived = [scale_of(b.conv, one) for b, pair in zip(blocks, drawn, strict=True) for one in pair]
        layers = [self._layers(one, thief.rng) for one in derived]
        names = [f"{name}.norm.{one}" for name in scheme.places(model) for one in ("weight", "bias")]

        def given() -> list[Tensor]:
            return [x + F.relu(x @ first) @ second for x, (first, second) in zip(derived, layers, strict=True)]

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            scales = given()
            answer = torch.func.functional_call(model, dict(zip(names, scales, strict=True)), (x,))
            loss = F.cross_entropy(answer, y)
            for gamma, sign in zip(scales[::2], signs, strict=True):
                loss = loss + self.alpha * F.relu(self.margin - sign * gamma).sum()
            return loss

        recipe = Recipe(self.epochs, self.lr, clip=self.clip)
        train_alone(thief, model, [one for pair in layers for one in pair], recipe, step)
        found = given()
        pairs = _realised(blocks, drawn, list(zip(found[::2], found[1::2], strict=True)))
        return AttackResult(claim=Claim(scheme.passport_key(thief.model, pairs, own)))

    def _layers(self, x: Tensor, rng: torch.Generator) -> tuple[nn.Parameter, nn.Parameter]:
        """Both layers of a block for scales (C,): (C, hidden) and (hidden, C); it starts as the direct path alone."""
        first = torch.randn(len(x), self.hidden, generator=rng).to(x.device) / len(x) ** 0.5
        return nn.Parameter(first), nn.Parameter(x.new_zeros(self.hidden, len(x)))


def _uniform(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=rng) * 2 - 1


def _drawn(thief: Thief, host: Net | None = None) -> list[tuple[Tensor, Tensor]]:
    """Passports by the scheme's own recipe, out of the plain net `host`; without one, out of one that he trains."""
    scheme = passport_scheme(thief)
    return scheme.passports(scheme.install(thief.model, thief.keygen(host)))


def _opened(thief: Thief, scheme: PassportScheme) -> tuple[nn.Module, list[ConvBlock], list[tuple[Tensor, Tensor]]]:
    """The stolen net as a plain one, frozen, its passport layers, and passports that derive the scales it carries."""
    model = plain(thief.model).requires_grad_(False)
    blocks = [cast(ConvBlock, model.get_submodule(name)) for name in scheme.places(model)]
    carried = [(block.norm.weight, block.norm.bias) for block in blocks]
    like = [(one, one) for one in _inputs(thief, model, scheme)]
    return model, blocks, _realised(blocks, like, carried)


def _inputs(thief: Thief, model: nn.Module, scheme: PassportScheme) -> list[Tensor]:
    """What enters each passport layer for a black image: the shapes (1, C_in, H, W) that passports have."""
    return entering(model, scheme.places(model), torch.zeros(1, *thief.task.shape, device=thief.device))


def _realised(
    blocks: Sequence[ConvBlock], like: Sequence[tuple[Tensor, Tensor]], wanted: Sequence[tuple[Tensor, Tensor]]
) -> list[tuple[Tensor, Tensor]]:
    """The least passports, shaped as in `like`, that derive the `wanted` scale and shift in each block."""
    return [
        (_deriving(block.conv, p_gamma, gamma), _deriving(block.conv, p_beta, beta))
        for block, (p_gamma, p_beta), (gamma, beta) in zip(blocks, like, wanted, strict=True)
    ]


@torch.no_grad()
def _deriving(conv: nn.Conv2d, like: Tensor, wanted: Tensor) -> Tensor:
    """The least passport, shaped like `like` (1, C_in, H, W), from which `conv` derives `wanted` (C_out,).

    The derivation is linear, so its Jacobian (C_out, C_in H W) says it all. Where a layer has fewer independent
    filters than channels (1x1 shortcuts), this is the nearest.
    """
    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(lambda passport: scale_of(conv, passport), torch.zeros_like(like))
    flat = cast(Tensor, jacobian).flatten(1)
    return (torch.linalg.pinv(flat) @ wanted).view_as(like)
