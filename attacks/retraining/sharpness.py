"""Sharpness-aware fine-tuning: every step looks at the worst weights near by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from attacks.retraining.tuning import tuned
from benchmark import contract as wm


@dataclass(frozen=True)
class SharpnessAware(wm.Attack):
    """Fine-tuning by the gradient at the worst point near the weights, in a ball that grows with each weight.

    Zhu et al. 2023 (FT-SAM), section 4, with the adaptive ball of Kwon et al. 2021: weights w are asked at
    w + rho T^2 g / |T g|, where T is |w| and g the gradient. What a mark rests on are few large weights, and these are
    moved most. Labels are smoothed, as in BackdoorBench, whose rho is 2 for ResNets on CIFAR-10 with 5 % of the data.
    Normalisation measures each batch twice, at both points. The thief buys the labels that he lacks.
    """

    name = "ft-sam"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Zhu et al. 2023, ICCV (arXiv:2304.11823)"
    settings = ("rho=2.0", "rho=0.5")

    rho: float = wm.parameter(2.0, "radius of the ball, relative to each weight", low=0.0)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)
    smoothing: float = wm.parameter(0.1, "of the labels", low=0.0, high=1.0)
    epochs: int = wm.parameter(10, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        weights = dict(model.named_parameters())

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            loss = F.cross_entropy(model(x), y, label_smoothing=self.smoothing)
            slopes = torch.autograd.grad(loss, list(weights.values()))
            with torch.no_grad():
                scaled = [weight.abs() * slope for weight, slope in zip(weights.values(), slopes, strict=True)]
                size = torch.stack([one.square().sum() for one in scaled]).sum().sqrt().clamp_min(1e-12)
                away = [
                    self.rho / size * weight.abs() * one for weight, one in zip(weights.values(), scaled, strict=True)
                ]
            worst = {name: weight + one for (name, weight), one in zip(weights.items(), away, strict=True)}
            return F.cross_entropy(functional_call(model, worst, (x,)), y, label_smoothing=self.smoothing)

        return tuned(thief, model, self.lr, self.epochs, step=step)
