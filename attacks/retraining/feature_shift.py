"""Feature shift tuning: a new last layer that must not look like the old one, so that features move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from attacks.finetune import redraw_head
from attacks.retraining.tuning import tuned
from benchmark import contract as wm


class Length(nn.Module):
    """A matrix scaled to a fixed Frobenius norm."""

    def __init__(self, length: float) -> None:
        super().__init__()
        self.length = length

    def forward(self, weight: Tensor) -> Tensor:
        return weight * (self.length / weight.norm())


@dataclass(frozen=True)
class FeatureShift(wm.Attack):
    """The last layer is redrawn, kept at its old length, and pushed away from what it was while all layers train.

    Min et al. 2023, section 4: cross-entropy plus `alpha` times the inner product of the new last layer's weights and
    the old ones, with the norm of the old ones. A mark that shares the task's features survives plain fine-tuning,
    for which the old features are good enough; a last layer that points elsewhere asks for others. The authors set the
    norm after every step; here the layer is parametrised by its direction. They have 2 % of the training set with
    labels; here the thief buys the labels that he lacks.
    """

    name = "fst"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Min et al. 2023, NeurIPS (arXiv:2310.01875)"
    settings = ("lr=0.02", "lr=0.05")

    lr: float = wm.parameter(0.02, "learning rate at its peak", low=0.0)
    alpha: float = wm.parameter(0.2, "weight of the inner product with the old last layer", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        old = wm.head(model).weight.detach().clone()
        head = redraw_head(thief, model)
        parametrize.register_parametrization(head, "weight", Length(float(old.norm())))

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            return F.cross_entropy(model(x), y) + self.alpha * (head.weight * old).sum()

        tuned(thief, model, self.lr, self.epochs, step=step)
        parametrize.remove_parametrizations(head, "weight")
        return model
