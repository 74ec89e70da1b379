"""Nets mixed weight by weight: the stolen one with the thief's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm

TUNING = 0.01  # learning rate of a partner that is fine-tuned; one that is trained anew has the house's
IMAGES_AT_ONCE = 512  # images that statistics are taken of


@dataclass(frozen=True)
class Merge(wm.Attack):
    """The weighted mean of the stolen weights and those of the thief's own nets.

    Merging sanitises backdoored language models (Arora et al. 2024), since what two nets don't share fades. Nets of one
    origin can be averaged as they are (model soups, Wortsman et al. 2022): `partner=finetuned`. One trained anew is
    first brought into the stolen net's order of channels (re-basin, Ainsworth et al. 2023), and the mean gets its
    statistics of normalisation from the thief's images, without which it answers hardly anything (REPAIR, Jordan et al.
    2023). His nets are trained on all his images, with labels that he buys. Normalisation that was fused comes back.
    """

    name = "merge"
    family = "merging"
    kind = "removal"
    access = "weights"
    paper = (
        "Arora et al. 2024, ACL Findings (arXiv 2402.19334); Wortsman et al. 2022, ICML (arXiv 2203.05482); "
        "Ainsworth et al. 2023, ICLR (arXiv 2209.04836); Jordan et al. 2023, ICLR (arXiv 2211.08403)"
    )
    settings = ("", "share=0.5", "partner=finetuned,count=3")

    partner: Literal["anew", "finetuned"] = wm.parameter("anew", "the thief's own nets: trained anew, or fine-tuned")
    share: float = wm.parameter(0.75, "weight of his own nets together, the rest is the stolen's", low=0.0, high=1.0)
    count: int = wm.parameter(1, "how many own nets", low=1)
    epochs: int = wm.parameter(40, "passes over his images that train each of them", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        stolen = wm.unfused(wm.plain(thief.model))
        own = [self._partner(thief, stolen) for _ in range(self.count)]
        weights = [1 - self.share, *[self.share / self.count] * self.count]
        return recalibrated(mixed([stolen, *own], weights), wm.as_float(thief.inputs))

    def _partner(self, thief: wm.Thief, stolen: nn.Module) -> nn.Module:
        net = wm.Net.of(stolen)
        if self.partner == "finetuned":
            recipe = thief.recipe(epochs=self.epochs, lr=TUNING)
            return thief.fit(net.module(thief.device), recipe, data=thief.annotated)
        own = thief.fit(thief.assemble(net.spec), thief.recipe(epochs=self.epochs), data=thief.annotated)
        return wm.aligned(own, stolen, thief.task.shape)


@torch.no_grad()
def mixed(nets: Sequence[nn.Module], weights: Sequence[float]) -> nn.Module:
    """The first of `nets`, in place, with the weighted means of all their tensors; whole numbers stay its own."""
    states = [net.state_dict() for net in nets]
    for name, tensor in states[0].items():
        if tensor.is_floating_point():
            tensor.copy_(torch.stack([w * state[name] for w, state in zip(weights, states, strict=True)]).sum(0))
    return nets[0]


@torch.no_grad()
def recalibrated(model: nn.Module, x: Tensor) -> nn.Module:
    """`model` with the statistics of batch normalisation that images `x` (N, C, H, W) give it; in eval mode."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    model.train()
    for part in x.chunk(-(-len(x) // IMAGES_AT_ONCE)):  # of about one size, since each counts alike
        model(part)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
    return model.eval()
