"""Passports forged from the owner's own: those that ship with the model, or those that a leaked key tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.passport_forging import passport_scheme, scale_of, train_alone
from benchmark.contract import (
    Attack,
    AttackResult,
    Claim,
    Insider,
    OracleAttack,
    Recipe,
    Thief,
    conv_blocks,
    parameter,
    secret,
)


@dataclass(frozen=True)
class Fake3(Attack):
    """The shipped passports, trained away from themselves towards the forger's own signs; the weights stay frozen.

    Fan et al. 2019 (asked for by a reviewer: maximise the distance from the original passport, minimise the loss).
    Cross-entropy, the sign loss for the forger's bits, and `distance` / MSE(original, forged) of every passport. Half
    of the signs are new, since the bits follow from the forger's secret; the authors turn a chosen share. Normalisation
    statistics stay frozen, unlike in the authors' code: the claim is on the model as it was delivered.
    A passport moves its scale slowly (the derivation is ill-conditioned), hence the large rate; and so many new signs
    cost accuracy here, which `alpha` trades for bits: fake2, which forgets the original, is the stronger forger.
    Needs the owner's passports: V1 ships them; for V2 and V3, which don't, see `fake3-oracle`.
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

    def run(self, thief: Thief) -> AttackResult:
        return self.forged(thief, passport_scheme(thief).passports(thief.model))

    def forged(self, thief: Thief, originals: Sequence[tuple[Tensor, Tensor]]) -> AttackResult:
        """The claim that starts from the original (p_gamma, p_beta) of every passport layer."""
        scheme, own = passport_scheme(thief), secret(thief.rng)
        near = [(_nudged(p_gamma, thief.rng), _nudged(p_beta, thief.rng)) for p_gamma, p_beta in originals]
        key = scheme.calibrated(scheme.passport_key(thief.model, near, own), thief.model, thief)
        model = scheme.install(thief.model, key).requires_grad_(False)
        blocks = [block for _, block in conv_blocks(model) if not block.norm.affine]
        forged = _trainable(model, [one for pair in scheme.passports(model) for one in pair])
        original = [one.detach().clone() for pair in originals for one in pair]
        signs = [sign.to(thief.device) for sign in scheme.signs(key)]

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            loss = F.cross_entropy(model(x), y)
            for block, p_gamma, sign in zip(blocks, forged[::2], signs, strict=True):
                loss = loss + self.alpha * F.relu(self.margin - sign * scale_of(block.conv, p_gamma)).sum()
            for mine, theirs in zip(forged, original, strict=True):
                loss = loss + self.distance / F.mse_loss(mine, theirs)
            return loss

        recipe = Recipe(self.epochs, self.lr, schedule="constant", clip=self.clip)
        train_alone(thief, model, forged, recipe, step)
        key = scheme.passport_key(thief.model, scheme.passports(model), own)
        return AttackResult(claim=Claim(scheme.calibrated(key, thief.model, thief)))


@dataclass(frozen=True)
class Fake3Oracle(Fake3, OracleAttack):
    """fake3 with passports that stayed at home: the owner's key was leaked, and a second owner is made from it.

    Fan et al. 2019 forge V2 and V3 like this, on the private branch. Where the private branch has statistics of its own
    the forger measures his on his images.
    """

    name = "fake3-oracle"
    kind = "oracle-ambiguity"
    settings = ("", "alpha=0.03")

    def run(self, thief: Insider) -> AttackResult:  # type: ignore[override]  # of the key-oracle lane
        scheme = passport_scheme(thief)
        return self.forged(thief, scheme.passports(scheme.install(thief.model, thief.key)))


def _nudged(passport: Tensor, rng: torch.Generator) -> Tensor:
    return passport + 1e-3 * torch.randn(passport.shape, generator=rng).to(passport.device)


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
