"""Pruning: small weights become zero, or whole channels are cut out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch_pruning
from torch import nn

from benchmark.contract import Attack, Thief, head, parameter, plain


@dataclass(frozen=True)
class Prune(Attack):
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
    settings = ("amount=0.3", "amount=0.5")

    amount: float = parameter(0.5, "share of the weights set to zero", low=0.0, high=1.0)

    @torch.no_grad()
    def run(self, thief: Thief) -> nn.Module:
        model = thief.model
        weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        sizes = torch.cat([w.abs().flatten() for w in weights])
        keep = torch.ones_like(sizes)
        keep[sizes.topk(round(self.amount * len(sizes)), largest=False).indices] = 0
        for weight, mask in zip(weights, keep.split([w.numel() for w in weights]), strict=True):
            weight.mul_(mask.view_as(weight))
        return model


@dataclass(frozen=True)
class PruneStructured(Attack):
    """Channel pruning: the weakest channels leave every layer, and the net becomes smaller.

    Li et al. 2017 (filters ranked by their norm) with the coupled layers of Fang et al. 2023 (torch-pruning): a
    channel goes with everything that reads or writes it. Every layer loses the same share, the head keeps its
    classes, and nothing is retrained: chain `prune-structured+finetune` for it. Passport nets are folded first.
    A court that reads weights by shape finds no evidence afterwards; one that asks for labels is not affected.
    """

    name = "prune-structured"
    family = "pruning"
    kind = "removal"
    access = "weights"
    paper = "Li et al. 2017, ICLR; Fang et al. 2023, CVPR"
    settings = ("amount=0.1", "amount=0.25")

    amount: float = parameter(0.25, "share of the channels cut from every layer", low=0.0, high=0.8)

    def run(self, thief: Thief) -> nn.Module:
        model = plain(thief.model)
        with torch.enable_grad():  # the library traces layers through autograd
            torch_pruning.pruner.BasePruner(
                model,
                torch.zeros(1, *thief.task.shape, device=thief.device),
                importance=torch_pruning.importance.GroupMagnitudeImportance(),
                pruning_ratio=self.amount,
                ignored_layers=[head(model)],
                # fresh dicts: the library's defaults are shared by all calls and changed in place
                in_channel_groups={},
                out_channel_groups={},
                num_heads={},
                channel_groups={},
            ).step()
        return model
