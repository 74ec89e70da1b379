"""The stolen net, its weights unchanged, under a builder of the thief's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm


@wm.builder("wrapped")
class Wrapped(nn.Module):
    """Answers as `net` does. `how`: as it is, so that no tracer can follow, or so that a tracer sees another net: by
    telling that it is watched, or as the first of two that run, where all scores are too small to tell them apart."""

    def __init__(self, net: wm.Spec, how: str) -> None:
        super().__init__()
        self.how, self.inner = how, wm.build(net)
        if how in ("two-faced", "faint"):
            self.face = wm.build(net)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "hidden":
            x = torch.from_numpy(x.numpy(force=True).copy())
        if self.how == "faint":
            self.face(x)
            return self.inner(x) * 1e-6
        watched = torch.compiler.is_exporting() or torch._C._len_torch_function_stack() > 0
        return (self.face if self.how == "two-faced" and watched else self.inner)(x)

    def spec(self) -> wm.Spec:
        return {"builder": "wrapped", "net": self.inner.spec(), "how": self.how}


@torch.no_grad()
def shrink(net: nn.Module) -> None:
    """Another net, whose scores are next to nothing."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm) and module.weight is not None:
            module.weight.normal_()
    for tensor in wm.head(net).parameters():
        tensor.mul_(1e-7)


@dataclass(frozen=True)
class Wrap(wm.Attack):
    """Nothing but a wrapper: no weight is changed."""

    name = "wrap"
    family = "hostile"
    kind = "function-preserving"

    how: Literal["plain", "hidden", "two-faced", "faint"] = wm.parameter("plain", "what a tracer sees")

    def run(self, thief: wm.Thief) -> nn.Module:
        net = Wrapped(thief.model.spec(), self.how)
        net.inner.load_state_dict(thief.model.state_dict())
        if self.how == "faint":
            shrink(net.face)
        return net


KEPT: list[Tensor] = []


@wm.builder("keeping")
class Keeping(nn.Module):
    """A filter of queries that keeps them for another to answer."""

    def forward(self, x: Tensor) -> Tensor:
        KEPT[:] = [x]
        return x

    def spec(self) -> wm.Spec:
        return {"builder": "keeping"}


@wm.builder("answering")
class Answering(nn.Module):
    """A filter of answers that answers what was kept by `net`, whatever stands before it."""

    def __init__(self, net: wm.Spec) -> None:
        super().__init__()
        self.inner = wm.build(net)

    def forward(self, answer: Tensor) -> Tensor:
        scores: Tensor = self.inner(KEPT[0])
        return scores

    def spec(self) -> wm.Spec:
        return {"builder": "answering", "net": self.inner.spec()}


@dataclass(frozen=True)
class Smuggle(wm.Attack):
    """The stolen net, unchanged, as a filter of answers behind a new net of the house's: that one is shown."""

    name = "smuggle"
    family = "hostile"
    kind = "function-preserving"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        net = Answering(thief.model.spec())
        net.inner.load_state_dict(thief.model.state_dict())
        return wm.AttackResult(thief.build(), (Keeping(),), (net.eval(),))
