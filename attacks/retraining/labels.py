"""Softened labels: fine-tuning that must not be sure, so that rare sure answers fade."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.retraining.tuning import tuned
from benchmark import contract as wm


@dataclass(frozen=True)
class LabelSmoothing(wm.Attack):
    """Fine-tuning on labels that give a share to all classes alike.

    The label smoothing of the Watermark-Robustness-Toolbox (Lukas et al. 2022): 0.3, for 5 epochs there. The rate is
    high, since at 0.05 a quarter of Adi's triggers stay. The thief buys the labels that he lacks.
    """

    name = "label-smoothing"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"

    smoothing: float = wm.parameter(0.3, "share of each label that all classes get", low=0.0, high=1.0)
    lr: float = wm.parameter(0.2, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        return tuned(thief, wm.plain(thief.model), self.lr, self.epochs, smoothing=self.smoothing)


@dataclass(frozen=True)
class LabelNoise(wm.Attack):
    """Fine-tuning on labels of which a share is drawn at random, anew each time an image is seen.

    The label noising of the Watermark-Robustness-Toolbox (Lukas et al. 2022), which mixes every label with one
    permutation of the classes for a whole batch. The thief buys the labels that he lacks.
    """

    name = "label-noise"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"

    share: float = wm.parameter(0.2, "of the labels that are drawn at random", low=0.0, high=1.0)
    lr: float = wm.parameter(0.2, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        def noisy(x: Tensor, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            drawn = torch.randint(thief.task.classes, y.shape, generator=rng, device=rng.device).to(y.device)
            swapped = torch.rand(y.shape, generator=rng, device=rng.device).to(y.device) < self.share
            return x, torch.where(swapped, drawn, y)

        return tuned(thief, wm.plain(thief.model), self.lr, self.epochs, augment=noisy if self.share else None)
