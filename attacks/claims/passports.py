"""Forged passports: the marked model is claimed, as it was delivered, with passports of the forger's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

Passports = list[tuple[Tensor, Tensor]]  # (p_gamma, p_beta) per passport layer, (1, C_in, H, W) each
Batches = Sequence[tuple[Tensor, Tensor]]


class PassportForger(wm.Attack):
    """What the forgers of this file share: images of theirs that have no label get the stolen net's."""

    family = "forged passports"
    paper = "Fan et al., Rethinking Deep Neural Network Ownership Verification, NeurIPS 2019 (arXiv 1909.07830)"
    kind = "ambiguity"
    requires = "passports"


@dataclass(frozen=True)
class Fake1(PassportForger):
    """Fresh passports, installed without any training.

    Fan et al. 2019. The authors draw them with a net that is by mistake untrained on CIFAR; `trained` takes the
    activations of the plain net that the thief trains on his own images, `noise` is uniform on (-1, 1). One claim
    instead of the mean over repeated draws. The bits follow from the forger's secret, or fit his passports where the
    scheme leaves them free. A private branch (V2, V3) gets statistics from his images.
    """

    name = "fake1"
    settings = ("passports=noise", "passports=untrained", "passports=trained")

    passports: Literal["noise", "untrained", "trained"] = wm.parameter("trained", "where the passports come from")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        scheme: wm.PassportScheme = thief.scheme
        if self.passports == "noise":
            shapes = [one.shape for one in _inputs(thief, wm.plain(thief.model))]
            pairs = [(_uniform(shape, thief.rng), _uniform(shape, thief.rng)) for shape in shapes]
        else:
            pairs = _drawn(thief, wm.Net.of(thief.build()) if self.passports == "untrained" else None)
        key = scheme.passport_key(thief.model, pairs, wm.secret(thief.rng))
        return wm.AttackResult(claim=scheme.calibrated(key, thief.model, thief))


@dataclass(frozen=True)
class Fake2(PassportForger):
    """Scales and shifts trained for the forger's own signs, and passports that derive them.

    Fan et al. 2019: only scale and shift of the passport layers, which start at the forger's signs and 0, are trained,
    on the thief's images. The paper's forger hands over these scales; a judge asks for passports, and a convolution is
    linear in them, so the least passports that derive the scales follow by least squares. Normalisation statistics stay
    frozen too, unlike in the authors' code: the claim is on the model as it was delivered. As theirs, he starts with
    half of the signs turned: bits that follow from his secret see to it, of free ones he turns the share `turned`.
    Cross-entropy may turn some back.
    """

    name = "fake2"
    settings = ("lr=0.01", "lr=0.2")

    epochs: int = wm.parameter(30, "passes over the thief's images", low=1)
    lr: float = wm.parameter(0.2, "learning rate, constant; 0.01 in the authors' code", low=0.0)
    magnitude: float = wm.parameter(1.0, "size of every scale before training", low=0.0)
    turned: float = wm.parameter(0.5, "share of the carried signs that he turns where bits are free", low=0.0, high=1.0)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        scheme, own = cast(wm.PassportScheme, thief.scheme), wm.secret(thief.rng)
        model, blocks, carried = _opened(thief)
        signs = _own_signs(thief, scheme.passport_key(thief.model, carried, own), self.turned)
        for block, sign in zip(blocks, signs, strict=True):
            block.norm.weight.data = self.magnitude * sign.to(thief.device)
            block.norm.bias.data = torch.zeros_like(block.norm.weight)
            block.norm.requires_grad_()
        scales = [one for block in blocks for one in (block.norm.weight, block.norm.bias)]
        recipe = wm.Recipe(self.epochs, self.lr, schedule="constant")
        head = wm.head(model)  # alone, so that no normalisation is in train mode
        thief.fit(model, recipe, data=thief.annotated, parameters=scales, only=head)
        pairs = _realised(blocks, carried, [(block.norm.weight, block.norm.bias) for block in blocks])
        return wm.AttackResult(claim=scheme.passport_key(thief.model, pairs, own))


@dataclass(frozen=True)
class Fake3(PassportForger):
    """The shipped passports, trained away from themselves towards the forger's own signs; the weights stay frozen.

    Fan et al. 2019: cross-entropy, the sign loss for the forger's bits, and `distance` / MSE(original, forged) of every
    passport. Half of the signs are new where bits follow from the forger's secret; of free ones he turns `turned`, a
    share that the authors choose. Normalisation statistics stay frozen, unlike in their code. A passport moves its
    scale slowly (the derivation is ill-conditioned), hence the large rate; so many new signs cost accuracy, which
    `alpha` trades for bits: fake2, which forgets the original, is the stronger forger. Only V1 ships the passports that
    this needs; for V2 and V3 see `fake3-oracle`.
    """

    name = "fake3"
    settings = ("", "alpha=0.03")

    epochs: int = wm.parameter(60, "passes over the thief's images", low=1)
    lr: float = wm.parameter(1.0, "learning rate, constant; 0.01 and far more steps in the authors' code", low=0.0)
    alpha: float = wm.parameter(0.1, "weight of the sign loss: less keeps the accuracy and turns fewer signs", low=0.0)
    margin: float = wm.parameter(0.1, "gamma_0, the least scale the sign loss asks for", low=0.0)
    distance: float = wm.parameter(1e-4, "weight of the distance term; 1 in the authors' code", low=0.0)
    clip: float = wm.parameter(2.0, "largest gradient norm", low=0.0)
    turned: float = wm.parameter(0.5, "share of the carried signs that he turns where bits are free", low=0.0, high=1.0)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return self.forged(thief, thief.scheme.passports(thief.model))

    def forged(self, thief: wm.Thief, pairs: Sequence[tuple[Tensor, Tensor]]) -> wm.AttackResult:
        """The claim that starts from the original (p_gamma, p_beta) of every passport layer."""
        scheme, own = cast(wm.PassportScheme, thief.scheme), wm.secret(thief.rng)
        original = [one.detach().clone() for pair in pairs for one in pair]
        near = [one + 1e-3 * torch.randn(one.shape, generator=thief.rng).to(one.device) for one in original]
        key = scheme.passport_key(thief.model, list(zip(near[::2], near[1::2], strict=True)), own)
        key = scheme.calibrated(key, thief.model, thief)
        model = scheme.install(thief.model, key).requires_grad_(False)
        blocks = [block for _, block in wm.conv_blocks(model) if not block.norm.affine]
        forged = _trainable(blocks)
        signs = [sign.to(thief.device) for sign in _own_signs(thief, key, self.turned)]

        def step(batches: Batches) -> Tensor:
            ((x, y),) = batches
            loss = F.cross_entropy(model(x), y)
            for block, p_gamma, sign in zip(blocks, forged[::2], signs, strict=True):
                loss = loss + self.alpha * F.relu(self.margin - sign * scale_of(block.conv, p_gamma)).sum()
            for mine, theirs in zip(forged, original, strict=True):
                loss = loss + self.distance / F.mse_loss(mine, theirs)
            return loss

        recipe = wm.Recipe(self.epochs, self.lr, schedule="constant", clip=self.clip)
        thief.fit(model, recipe, data=thief.annotated, step=step, parameters=forged, only=wm.head(model))
        key = scheme.passport_key(thief.model, scheme.passports(model), own)
        return wm.AttackResult(claim=scheme.calibrated(key, thief.model, thief))


@dataclass(frozen=True)
class Fake3Oracle(Fake3, wm.OracleAttack):
    """fake3 with the passports of an owner whose key was leaked, as Fan et al. 2019 forge V2 and V3.

    Where the private branch has statistics of its own the forger measures his on his images.
    """

    name = "fake3-oracle"
    kind = "oracle-ambiguity"
    settings = ("", "alpha=0.03")

    def run(self, thief: wm.Insider) -> wm.AttackResult:  # type: ignore[override]  # of the key-oracle lane
        scheme: wm.PassportScheme = thief.scheme
        return self.forged(thief, scheme.passports(scheme.install(thief.model, thief.key)))


@dataclass(frozen=True)
class AccessoryBlock(PassportForger):
    """A small fully connected block behind the forger's own derived scales and shifts, trained to make them fit.

    Chen et al. 2023 put such blocks (two layers, beside a direct path) between a passport and the scale it gives.
    Inputs are the forger's passports by the scheme's recipe, from the plain net that he trains; the blocks alone learn,
    by cross-entropy and the sign loss for his own bits. The paper's forger shows a net with his blocks in it. A judge
    installs passports in the delivered model, so the claim is the least passports that derive what the blocks gave.
    """

    name = "accessory-block"
    paper = "Chen et al., Effective Ambiguity Attack Against Passport-based DNN IP Protection (arXiv 2303.11595)"

    epochs: int = wm.parameter(30, "passes over the thief's images", low=1)
    lr: float = wm.parameter(0.02, "learning rate at its peak", low=0.0)
    hidden: int = wm.parameter(32, "width between the two layers of a block", low=1)
    alpha: float = wm.parameter(0.1, "weight of the sign loss", low=0.0)
    margin: float = wm.parameter(0.1, "gamma_0, the least scale the sign loss asks for", low=0.0)
    clip: float = wm.parameter(5.0, "largest gradient norm", low=0.0)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        scheme, own = cast(wm.PassportScheme, thief.scheme), wm.secret(thief.rng)
        drawn = _drawn(thief)
        signs = [sign.to(thief.device) for sign in scheme.signs(scheme.passport_key(thief.model, drawn, own))]
        model, blocks, _ = _opened(thief)
        with torch.no_grad():
            derived = [scale_of(b.conv, one) for b, pair in zip(blocks, drawn, strict=True) for one in pair]
        layers = [self._layers(one, thief.rng) for one in derived]
        names = [f"{name}.norm.{one}" for name in scheme.places(model) for one in ("weight", "bias")]

        def given() -> list[Tensor]:
            return [x + F.relu(x @ first) @ second for x, (first, second) in zip(derived, layers, strict=True)]

        def step(batches: Batches) -> Tensor:
            ((x, y),) = batches
            scales = given()
            loss = F.cross_entropy(torch.func.functional_call(model, dict(zip(names, scales, strict=True)), (x,)), y)
            for gamma, sign in zip(scales[::2], signs, strict=True):
                loss = loss + self.alpha * F.relu(self.margin - sign * gamma).sum()
            return loss

        recipe, learnt = wm.Recipe(self.epochs, self.lr, clip=self.clip), [one for pair in layers for one in pair]
        thief.fit(model, recipe, data=thief.annotated, step=step, parameters=learnt, only=wm.head(model))
        found = given()
        pairs = _realised(blocks, drawn, list(zip(found[::2], found[1::2], strict=True)))
        return wm.AttackResult(claim=scheme.passport_key(thief.model, pairs, own))

    def _layers(self, x: Tensor, rng: torch.Generator) -> tuple[nn.Parameter, nn.Parameter]:
        """Both layers of a block for scales (C,): (C, hidden) and (hidden, C); it starts as the direct path alone."""
        first = torch.randn(len(x), self.hidden, generator=rng).to(x.device) / len(x) ** 0.5
        return nn.Parameter(first), nn.Parameter(x.new_zeros(self.hidden, len(x)))


def _own_signs(thief: wm.Thief, key: wm.Key, turned: float) -> list[Tensor]:
    """The signs that the forger is after, (C_out,) per layer: those of `key`, which follow from his secret.

    Free bits are whatever `key`'s passports derive, the owner's as they start: `turned` of them change sign.
    """
    signs: list[Tensor] = thief.scheme.signs(key)
    if thief.scheme.hash_bound:
        return signs
    together = torch.cat(signs)
    together[torch.randperm(len(together), generator=thief.rng)[: round(turned * len(together))]] *= -1
    return list(together.split([len(one) for one in signs]))


def _uniform(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=rng) * 2 - 1


def scale_of(conv: nn.Conv2d, passport: Tensor) -> Tensor:
    """What a layer derives from a passport (1, C_in, H, W): the mean of each filter's answer, (C_out,)."""
    return conv(passport).mean((0, 2, 3))


@torch.no_grad()
def least_passport(conv: nn.Conv2d, like: Tensor, wanted: Tensor) -> Tensor:
    """The least passport, shaped like `like` (1, C_in, H, W), from which `conv` derives `wanted` (C_out,).

    The derivation is linear, so its Jacobian (C_out, C_in H W) says it all. Where a layer has fewer independent
    filters than channels (1x1 shortcuts), this is the nearest.
    """
    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(lambda passport: scale_of(conv, passport), torch.zeros_like(like))
    return (torch.linalg.pinv(cast(Tensor, jacobian).flatten(1)) @ wanted).view_as(like)


def _realised(blocks: Sequence[wm.ConvBlock], like: Passports, wanted: Passports) -> Passports:
    """The least passports, shaped as in `like`, that derive the `wanted` scale and shift in each block."""
    return [
        (least_passport(block.conv, p_gamma, gamma), least_passport(block.conv, p_beta, beta))
        for block, (p_gamma, p_beta), (gamma, beta) in zip(blocks, like, wanted, strict=True)
    ]


def _drawn(thief: wm.Thief, host: wm.Net | None = None) -> Passports:
    """Passports by the scheme's own recipe, out of the plain net `host`; without one, out of one that he trains."""
    scheme: wm.PassportScheme = thief.scheme
    return scheme.passports(scheme.install(thief.model, thief.keygen(host)))


def _opened(thief: wm.Thief) -> tuple[nn.Module, list[wm.ConvBlock], Passports]:
    """The stolen net as a plain one, frozen, its passport layers, and passports that derive the scales it carries."""
    model = wm.plain(thief.model).requires_grad_(False)
    blocks = [cast(wm.ConvBlock, model.get_submodule(name)) for name in thief.scheme.places(model)]
    carried: Passports = [(block.norm.weight, block.norm.bias) for block in blocks]
    return model, blocks, _realised(blocks, [(one, one) for one in _inputs(thief, model)], carried)


def _inputs(thief: wm.Thief, model: nn.Module) -> list[Tensor]:
    """What enters each passport layer for a black image: the shapes (1, C_in, H, W) that passports have."""
    return wm.entering(model, thief.scheme.places(model), torch.zeros(1, *thief.task.shape, device=thief.device))


def _trainable(blocks: Sequence[wm.ConvBlock]) -> list[nn.Parameter]:
    """Parameters in place of the passports, which are the only buffers that such blocks have themselves."""
    for block in blocks:
        for name, passport in list(block.named_buffers(recurse=False)):
            delattr(block, name)
            setattr(block, name, nn.Parameter(passport.clone()))
    return [one for block in blocks for one in block.parameters(recurse=False)]
