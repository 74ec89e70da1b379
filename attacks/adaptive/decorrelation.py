"""Decorrelation: whoever knows that filters are read, and not by which key, moves every filter away from itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Decorrelate(wm.Attack):
    """Filters lose their layer's mean and get noise, then train on the task and away from what they were.

    A thief who knows that a court reads filters (Uchida et al. 2017 their mean, Zhu et al. 2025 each of them), and has
    no key: he adds to cross-entropy the squared cosine of each filter, and of each layer's mean filter, with the stolen
    one. The noise comes first, since a filter that is still itself has no slope to leave by. His images bear the labels
    that he has, or buys from the service.
    """

    name = "decorrelate"
    family = "adaptive"
    kind = "removal"
    access = "weights"
    paper = "against Uchida et al. 2017, ICMR; Zhu et al. 2025, ICML"

    noise: float = wm.parameter(1.0, "normal noise, in standard deviations of the layer's weights", low=0.0)
    weight: float = wm.parameter(5.0, "of the mean squared cosine of a layer, beside cross-entropy", low=0.0)
    lr: float = wm.parameter(0.1, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(40, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.unfused(wm.plain(thief.model))
        layers = list(wm.filter_layers(model).values())
        stolen = [with_mean(layer.weight.detach().clone()) for layer in layers]
        with torch.no_grad():
            for layer in layers:
                drawn = torch.randn(layer.weight.shape, generator=thief.rng).to(thief.device)
                layer.weight += self.noise * layer.weight.std() * drawn - layer.weight.mean(0)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            loss = F.cross_entropy(model(x), y)
            for layer, old in zip(layers, stolen, strict=True):
                loss = loss + self.weight * F.cosine_similarity(with_mean(layer.weight), old).square().mean()
            return loss

        return thief.fit(model, thief.recipe(lr=self.lr, epochs=self.epochs), data=thief.annotated, step=step)


def with_mean(filters: Tensor) -> Tensor:
    """Filters (C_out, …) as rows, and their mean as often again: it weighs as much as all of them."""
    rows = filters.flatten(1)
    return torch.cat([rows, rows.mean(0).expand_as(rows)])
