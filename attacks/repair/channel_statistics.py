"""Channels that stand out in their layer, by their weights alone or by what normalisation remembers of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from attacks.repair.channels import PASSED_AT_ONCE, normalised, silenced, strongest, writers
from benchmark import contract as wm

THRESHOLDS = tuple(tenth / 10 for tenth in range(101))  # u from 0 to 10, as the authors sweep it


@dataclass(frozen=True)
class Clp(wm.Attack):
    """Channel Lipschitz pruning: channels that can react far more than others of their layer are silenced, unseen.

    Zheng et al. 2022a: the bound of a channel is the largest singular value of its filter times what batch
    normalisation multiplies it by, and `u` standard deviations above the mean of its layer it gets scale and shift 0.
    No image is needed, so nothing can be tuned: u = 3 is the authors' on CIFAR-10. Of n channels none is more than (n -
    1) / sqrt(n) above their mean, 3.75 of 16, so narrow layers lose hardly any.
    """

    name = "clp"
    family = "neuron pruning"
    kind = "removal"
    access = "weights"
    paper = "Zheng et al. 2022, ECCV (arXiv 2208.03111)"
    settings = ("u=3", "u=2", "u=1")

    u: float = wm.parameter(3.0, "standard deviations above the mean of its layer from which a channel goes", low=0.0)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        return silenced(model, outliers(sensitivity(model), self.u))


@dataclass(frozen=True)
class Bnp(wm.Attack):
    """Channels are silenced whose statistics of training are far from those of the task: triggers were in them.

    Zheng et al. 2022b: the divergence of what a batch normalisation remembers from what enters it for clean images, and
    `u` standard deviations above the mean of its layer a channel gets scale and shift 0. u is the smallest from 0 to 10
    that leaves 98 of 100 answers to the thief's images; the authors' is 3. Needs no label and no query.
    """

    name = "bnp"
    family = "neuron pruning"
    kind = "removal"
    access = "weights"
    layers_needed = "batch normalisation"
    paper = "Zheng et al. 2022, NeurIPS"

    def run(self, thief: wm.Thief) -> nn.Module:
        model, x = wm.plain(thief.model), wm.as_float(thief.inputs)
        names = [name for name in writers(model) if isinstance(model.get_submodule(name), nn.BatchNorm2d)]
        if not names:
            raise wm.NotApplicable("the net has no batch normalisation, so nothing remembers what it was trained on")
        moments: dict[str, Tensor] = {}  # by layer the mean and the mean square of what enters each channel, (2, C)
        for part in x.split(PASSED_AT_ONCE):
            for name, entered in zip(names, wm.entering(model, names, part), strict=True):
                both = torch.stack([entered.double(), entered.double().square()]).mean((1, 3, 4)) * len(part) / len(x)
                moments[name] = moments[name] + both if name in moments else both
        gaps = {name: gap(cast(nn.BatchNorm2d, model.get_submodule(name)), *moments[name]) for name in names}
        return strongest(model, [outliers(gaps, u) for u in reversed(THRESHOLDS)], x)


@torch.no_grad()
def sensitivity(model: nn.Module) -> dict[str, Tensor]:
    """By writer, an upper bound of how fast each channel (C,) can change: the largest singular value of its filter, as
    a matrix of input channels by places, times what its normalisation multiplies it by.
    """
    behind, bounds = normalised(model), {}
    for name in wm.filter_layers(model):
        weight = cast(Tensor, model.get_submodule(name).weight).float()
        bound = weight.norm(dim=1) if weight.dim() == 2 else torch.linalg.matrix_norm(weight.flatten(2), ord=2)
        if name in behind:
            norm = model.get_submodule(behind[name])
            bound = bound * cast(Tensor, norm.weight).abs()
            if isinstance(norm, nn.BatchNorm2d):
                bound = bound / (cast(Tensor, norm.running_var) + norm.eps).sqrt()
        bounds[behind.get(name, name)] = bound
    return bounds


def gap(norm: nn.BatchNorm2d, mean: Tensor, square: Tensor) -> Tensor:
    """How far what enters a normalisation, of this mean and mean square by channel (C,), is from what it remembers: the
    Kullback-Leibler divergence of two normal distributions, for each channel (C,).
    """
    variance = square - mean.square() + norm.eps
    before = cast(Tensor, norm.running_var) + norm.eps
    return ((before / variance).log() + (variance + (mean - cast(Tensor, norm.running_mean)).square()) / before - 1) / 2


def outliers(values: Mapping[str, Tensor], u: float) -> dict[str, Tensor]:
    """By layer, which channels lie more than `u` standard deviations above its mean."""
    return {name: one > one.mean() + u * one.std() for name, one in values.items()}
