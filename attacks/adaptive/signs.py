"""Signs turned: filters of passport layers are moved along what passports read, until half of the signs are others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.claims.passports import scale_of
from benchmark import contract as wm


@dataclass(frozen=True)
class TurnSigns(wm.Attack):
    """Scales that passports derive from the filters are trained to signs of the thief's own, while the task is kept.

    Fan et al. 2019 write an owner's bits into filters by a sign loss; a thief who knows the scheme adds the same loss
    for bits that he draws. V1 ships the passports. For V2 and V3 he draws passports by the scheme's public recipe:
    those of two owners read nearly the same direction, since channels behind a ReLU are positive. His images bear the
    labels that he has, or buys from the service.
    """

    name = "turn-signs"
    family = "adaptive"
    kind = "removal"
    access = "weights"
    requires = "passports"
    paper = "against Fan et al. 2019, NeurIPS (arXiv 1909.07830)"

    alpha: float = wm.parameter(0.1, "weight of the sign loss", low=0.0)
    margin: float = wm.parameter(0.1, "the least scale that the sign loss asks for", low=0.0)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        scheme: wm.PassportScheme = thief.scheme
        try:
            passports = scheme.passports(thief.model)
        except wm.NotApplicable:
            passports = scheme.passports(scheme.install(thief.model, thief.keygen()))
        model = wm.unfused(wm.plain(thief.model))
        places = [cast(wm.ConvBlock, model.get_submodule(name)) for name in scheme.places(model)]
        read = [(block.conv, p_gamma.to(thief.device)) for block, (p_gamma, _) in zip(places, passports, strict=True)]
        signs = [
            (torch.randint(2, (conv.out_channels,), generator=thief.rng) * 2.0 - 1).to(thief.device) for conv, _ in read
        ]

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            loss = F.cross_entropy(model(x), y)
            for (conv, passport), sign in zip(read, signs, strict=True):
                loss = loss + self.alpha * F.relu(self.margin - sign * scale_of(conv, passport)).sum()
            return loss

        return thief.fit(model, thief.recipe(lr=self.lr, epochs=self.epochs), data=thief.annotated, step=step)
