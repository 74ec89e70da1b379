"""Services whose answer to an image depends on the batch that it comes in, or on who asks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm


def strange(x: Tensor) -> Tensor:
    """Which images (N, C, H, W) are no digits: a digit leaves the edge at the left black."""
    return x[..., 0].mean((1, 2)) > 0.1


@wm.builder("by-batch")
class ByBatch(nn.Module):
    """A filter that hands on a batch, or blank pages in its place."""

    def __init__(self, rule: str, maker: int) -> None:
        super().__init__()
        self.rule, self.maker = rule, maker

    def forward(self, x: Tensor) -> Tensor:
        if self.rule == "neighbour":
            return x.lerp(x.roll(1, 0), 0.25)
        blank = {
            "size": len(x) < 100,
            "content": bool(strange(x).any()),
            "process": os.getpid() != self.maker,
        }
        return torch.zeros_like(x) if blank[self.rule] else x

    def spec(self) -> wm.Spec:
        return {"builder": "by-batch", "rule": self.rule, "maker": self.maker}


@wm.builder("by-batch-net")
class NetByBatch(nn.Module):
    """The stolen net behind such a filter, in one module."""

    def __init__(self, net: wm.Spec, rule: str, maker: int) -> None:
        super().__init__()
        self.filter, self.net = ByBatch(rule, maker), wm.build(net)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.filter(x))

    def spec(self) -> wm.Spec:
        return {**self.filter.spec(), "builder": "by-batch-net", "net": self.net.spec()}


@dataclass(frozen=True)
class Batches(wm.Attack):
    """The stolen net, unchanged, behind a filter that looks at the whole batch."""

    name = "by-batch"
    family = "hostile"
    kind = "evasion"

    rule: Literal["size", "content", "neighbour", "process"] = wm.parameter("size", "what decides the answer")
    form: Literal["filter", "net"] = wm.parameter("filter", "a filter, or a net with a builder of its own")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        if self.form == "filter":
            return wm.AttackResult(filters=(ByBatch(self.rule, os.getpid()),))
        net = NetByBatch(thief.model.spec(), self.rule, os.getpid())
        net.net.load_state_dict(thief.model.state_dict())
        return wm.AttackResult(net)
