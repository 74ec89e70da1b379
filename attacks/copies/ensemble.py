"""Smooth retraining: several surrogates, each of a part of the service's answers, speak with one voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from benchmark import contract as wm


@wm.builder("ensemble")
class Ensemble(nn.Module):
    """`size` nets of one spec: logits (N, classes) of the mean of their probabilities."""

    def __init__(self, member: wm.Spec, size: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(wm.build(member) for _ in range(size))

    def forward(self, x: Tensor) -> Tensor:
        votes = torch.stack([member(x).float().log_softmax(1) for member in self.members])
        return votes.logsumexp(0)

    def spec(self) -> wm.Spec:
        member = self.members[0].spec()  # type: ignore[operator]
        return {"builder": "ensemble", "member": member, "size": len(self.members)}


@dataclass(frozen=True)
class SmoothRetrain(wm.Attack):
    """Surrogates learn disjoint parts of the service's labels, smoothed, and answer together.

    The ensemble of the Watermark-Robustness-Toolbox (Lukas et al. 2022): three parts, labels smoothed by .2. A wrong
    label that only one of them was given is outvoted, which is meant for services that answer some queries wrongly on
    purpose (DAWN). Each of them sees a third of the thief's images, so where those are few, the price is accuracy.
    """

    name = "smooth-retrain"
    family = "extraction"
    kind = "extraction"
    access = "labels"
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"

    splits: int = wm.parameter(3, "surrogates, each with its own part of the answers", low=1)
    smoothing: float = wm.parameter(0.2, "share of each label that is spread over all classes", low=0.0, high=1.0)
    epochs: int = wm.parameter(60, "passes of each surrogate over its part", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        answered = wm.Data(thief.inputs, thief.ask(wm.as_float(thief.inputs), "labels"))
        recipe = thief.recipe(epochs=self.epochs, smoothing=self.smoothing)
        order = torch.randperm(len(answered), generator=thief.rng).to(thief.device)
        nets = [thief.fit(thief.build(), recipe, data=answered.take(order[i :: self.splits]))
                for i in range(min(self.splits, len(answered)))]  # fmt: skip
        spec = {"builder": "ensemble", "member": wm.Net.of(nets[0]).spec, "size": len(nets)}
        found = cast(Ensemble, thief.assemble(spec))
        for member, net in zip(found.members, nets, strict=True):
            member.load_state_dict(net.state_dict())
        return found
