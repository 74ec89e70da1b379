"""An attack that needs half a GB at once, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Hungry(wm.Attack):
    """It asks for more memory than a job of so small a net ever does."""

    name = "hungry"
    kind = "removal"
    family = "test"

    def run(self, thief: wm.Thief) -> nn.Module:
        torch.ones(2**27)
        return thief.model
