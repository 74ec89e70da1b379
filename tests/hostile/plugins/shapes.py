"""The stolen net with another number of classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Classes(wm.Attack):
    """Cuts the last classes off the head, or adds some that never win."""

    name = "classes"
    family = "hostile"
    kind = "function-preserving"

    more: int = wm.parameter(1, "classes added; below 0, cut off")

    @torch.no_grad()
    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        classes = thief.task.classes + self.more
        net = wm.build({**model.spec(), "classes": classes})
        kept = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("head.")}
        net.load_state_dict(kept, strict=False)
        old, new = wm.head(model), wm.head(net)
        new.bias.fill_(-100)
        shared = min(thief.task.classes, classes)
        new.weight[:shared], new.bias[:shared] = old.weight[:shared], old.bias[:shared]
        return net
