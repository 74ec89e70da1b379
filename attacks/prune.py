"""Pruning: small weights become zero, or whole channels are cut out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm

LAYERS = {"all": (nn.Conv2d, nn.Linear), "conv": (nn.Conv2d,), "dense": (nn.Linear,)}


@dataclass(frozen=True)
class Prune(wm.Attack):
    """Global magnitude pruning: the smallest weights of all layers together become zero.

    Han et al. 2015, without their retraining: chain `prune+finetune` for it. Weights of convolutions and linear
    layers compete in one ranking; biases and normalisation scales stay, unlike in DeepIPR's code, whose one
    percentile over all parameters cuts scales before filters. Passports stay too: they are derived from the filters.
    """

    name = "prune"
    family = "pruning"
    kind = "removal"
    access = "weights"
    paper = "Han et al. 2015, NeurIPS"
    settings: ClassVar[tuple[str, ...]] = ("amount=0.5", "amount=0.9", "amount=0.95")

    amount: float = wm.parameter(0.5, "share of the weights set to zero", low=0.0, high=1.0)
    layers: Literal["all", "conv", "dense"] = wm.parameter("all", "all layers, convolutions, or linear (dense) layers")

    @torch.no_grad()
    def run(self, thief: wm.Thief) -> nn.Module:
        model = thief.model
        weights = [module.weight for module in model.modules() if isinstance(module, LAYERS[self.layers])]
        if not weights:
            raise wm.NotApplicable(f"the net has no layers of the kind {self.layers}")
        sizes = self.ranked(torch.cat([weight.abs().flatten() for weight in weights]), thief.rng)
        keep = torch.ones_like(sizes)
        keep[sizes.topk(round(self.amount * len(sizes)), largest=False, sorted=False).indices] = 0
        for weight, mask in zip(weights, keep.split([weight.numel() for weight in weights]), strict=True):
            weight.mul_(mask.view_as(weight))
        return model

    def ranked(self, sizes: Tensor, rng: torch.Generator) -> Tensor:
        """By what weights of these `sizes` (N,) are cut, the smallest first."""
        return sizes


@dataclass(frozen=True)
class PruneRandom(Prune):
    """Weights drawn at random become zero, whatever their size.

    Kallas & Furon 2022 (RoSe), section 5: all layers, or the dense ones alone. A weaker thief than `prune`, who keeps
    the large weights: the task suffers as the mark does. The paper averages 50 draws; here each seed draws once.
    """

    name = "prune-random"
    paper = "Kallas & Furon 2022, WIFS (arXiv:2206.11024)"
    settings = ("amount=0.1",)

    amount: float = wm.parameter(0.1, "share of the weights set to zero", low=0.0, high=1.0)

    def ranked(self, sizes: Tensor, rng: torch.Generator) -> Tensor:
        return torch.rand(len(sizes), generator=rng).to(sizes.device)


@dataclass(frozen=True)
class PruneStructured(wm.Attack):
    """Channel pruning: the weakest channels leave every layer, and the net becomes smaller.

    Li et al. 2017 (filters ranked by their norm) with the coupled layers of Fang et al. 2023 (torch-pruning): a
    channel goes with everything that reads or writes it. Every layer loses the same share, the head keeps its
    classes, and nothing is retrained: chain `prune-structured+finetune` for it. Passport nets are folded first. Of a
    transformer the hidden units of its perceptrons go; what attention and its normalisation take together stays.
    A court that reads weights by shape finds no evidence afterwards; one that asks for labels is not affected.
    """

    name = "prune-structured"
    family = "pruning"
    kind = "removal"
    access = "weights"
    paper = "Li et al. 2017, ICLR; Fang et al. 2023, CVPR"
    settings = ("amount=0.25", "amount=0.5")

    amount: float = wm.parameter(0.25, "share of the channels cut from every layer", low=0.0, high=0.8)

    def run(self, thief: wm.Thief) -> nn.Module:
        import torch_pruning  # takes its time to load, and few need it

        model = wm.plain(thief.model)
        with torch.enable_grad():  # the library traces layers through autograd
            torch_pruning.pruner.BasePruner(
                model,
                torch.zeros(1, *thief.task.shape, device=thief.device),
                importance=torch_pruning.importance.GroupMagnitudeImportance(),
                pruning_ratio=self.amount,
                ignored_layers=[wm.head(model), *wm.tied_layers(model, thief.task.shape)],
                # fresh dicts: the library's defaults are shared by all calls and changed in place
                in_channel_groups={},
                out_channel_groups={},
                num_heads={},
                channel_groups={},
            ).step()
        return wm.reshaped(model)
