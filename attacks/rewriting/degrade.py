"""Noise on all weights, by a thief who looks for no mark: the control of removals."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from benchmark import contract as wm

HALVINGS = 12  # of the range in which the strength of the noise is sought
MOST = 4.0  # its upper end, in standard deviations of a layer's weights


@dataclass(frozen=True)
class Degrade(wm.Attack):
    """Random noise on all weights, as much as the thief's images allow: what harm without any aim does to a mark.

    A removal that costs as much as this control and leaves as little of the mark has found nothing of it. The noise of
    a layer has its weights' standard deviation times a strength that is halved in on: the net's answers to the thief's
    images may change for a share of `loss`. No label and no query is needed.
    """

    name = "degrade"
    family = "control"
    kind = "control"
    access = "weights"
    settings = ("loss=0.02", "loss=0.05")

    loss: float = wm.parameter(
        0.02, "share of the thief's images that the net may answer otherwise than before", low=0.0, high=1.0
    )

    @torch.no_grad()
    def run(self, thief: wm.Thief) -> nn.Module:
        model, x = wm.plain(thief.model), wm.as_float(thief.inputs)
        weights = [module.weight for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        before, answers = [one.clone() for one in weights], wm.logits(model, x).argmax(1)
        noise = [torch.randn(one.shape, generator=thief.rng).to(one) * one.std() for one in weights]

        def lost(strength: float) -> float:
            for weight, old, drawn in zip(weights, before, noise, strict=True):
                weight.copy_(old + strength * drawn)
            return float((wm.logits(model, x).argmax(1) != answers).float().mean())

        low, high = 0.0, MOST
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if lost(middle) <= self.loss else (low, middle)
        lost(low)
        return model
