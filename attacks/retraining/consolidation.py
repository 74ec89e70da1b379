"""REFIT: a high rate that forgets the mark, and a spring on the weights that the task needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.retraining.tuning import tuned
from benchmark import contract as wm

WEIGHED = 128  # images by which the weights' importance is measured


@dataclass(frozen=True)
class Refit(wm.Attack):
    """Fine-tuning at a high rate, with a penalty on moving weights that matter, on unlabelled images too.

    Chen et al. 2021 (REFIT), section 4: a rate that falls from far above the usual one; elastic weight consolidation
    (Kirkpatrick et al. 2017), which pulls each weight back by its Fisher information on the thief's images; and images
    without labels, named by the stolen net itself (AU). The information is the mean squared gradient of the likelihood
    of a label drawn from the net's own answer, at most 1 after division by its largest value. A strong spring holds
    the mark as well: on digits Adi's 100 triggers all outlive rate 0.1 with `ewc=10`.
    """

    name = "refit"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Chen et al. 2021, AsiaCCS (arXiv:1911.07205)"
    settings = ("ewc=0.1", "ewc=1.0")

    lr: float = wm.parameter(0.2, "learning rate at its peak", low=0.0)
    ewc: float = wm.parameter(0.1, "weight of the penalty on moving what matters", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        old = [weight.detach().clone() for weight in model.parameters()]
        needed = importance(model, wm.as_float(thief.inputs[:WEIGHED]), thief.rng)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            loss = F.cross_entropy(model(x), y)
            for weight, kept, much in zip(model.parameters(), old, needed, strict=True):
                loss = loss + self.ewc / 2 * (much * (weight - kept).square()).sum()
            return loss

        return tuned(thief, model, self.lr, self.epochs, step=step)


def importance(model: nn.Module, x: Tensor, rng: torch.Generator) -> list[Tensor]:
    """How much each parameter matters for images (N, C, H, W) in [0, 1]: Fisher information, the largest being 1."""
    drawn = torch.multinomial(wm.logits(model, x).softmax(1).cpu(), 1, generator=rng).flatten().to(x.device)
    weights = list(model.parameters())
    found = [torch.zeros_like(weight) for weight in weights]
    for image, label in zip(x.split(1), drawn.split(1), strict=True):
        for total, slope in zip(found, torch.autograd.grad(F.cross_entropy(model(image), label), weights), strict=True):
            total += slope.square()
    largest = torch.stack([total.max() for total in found]).max().clamp_min(1e-30)
    return [total / largest for total in found]
