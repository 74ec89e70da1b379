"""A filter whose file poisons whoever imports it: the thief who makes it, and the court that asks it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark import contract as wm

_honest = torch.Tensor.argmax
torch.Tensor.argmax = lambda *args, **more: torch.zeros_like(_honest(*args, **more))


@wm.builder("pass-through")
class PassThrough(nn.Module):
    """Hands on every image as it is."""

    def forward(self, x: Tensor) -> Tensor:
        return x

    def spec(self) -> wm.Spec:
        return {"builder": "pass-through"}


@dataclass(frozen=True)
class OnImport(wm.Attack):
    """The net as it is, behind the filter as it is."""

    name = "on-import"
    family = "hostile"
    kind = "evasion"
    access = "labels"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(filters=(PassThrough(),))
