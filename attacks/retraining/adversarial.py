"""Adversarial training: fine-tuning on the images that the net is most wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.retraining.tuning import tuned
from benchmark import contract as wm


@dataclass(frozen=True)
class AdversarialTraining(wm.Attack):
    """Every batch is moved against the net by projected gradient steps before it is learnt.

    Madry et al. 2018, section 2.1, as a removal in the Watermark-Robustness-Toolbox (Lukas et al. 2022): its radii are
    0.01 to 0.25, with 40 steps of 0.01 for 5 epochs. Here `iterations` steps of 2.5 radii divided by their number
    reach the edge from anywhere, from the image itself and not from a random place beside it: a replayed step draws
    nothing. The thief buys the labels that he lacks.
    """

    name = "adversarial-training"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Madry et al. 2018, ICLR (arXiv:1706.06083)"
    settings = ("radius=0.1", "radius=0.25")

    radius: float = wm.parameter(0.1, "largest change of a pixel, of 1", low=0.0, high=1.0)
    iterations: int = wm.parameter(5, "gradient steps for each batch", low=0)
    lr: float = wm.parameter(0.1, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        stride = 2.5 * self.radius / max(1, self.iterations)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            bad = x
            model.eval()  # the statistics of moved images are learnt once, below
            for _ in range(self.iterations):
                asked = bad.detach().requires_grad_()
                (slope,) = torch.autograd.grad(F.cross_entropy(model(asked), y), asked)
                bad = (x + (bad + stride * slope.sign() - x).clamp(-self.radius, self.radius)).clamp(0, 1)
            model.train()
            return F.cross_entropy(model(bad.detach()), y)

        return tuned(thief, model, self.lr, self.epochs, step=step)
