"""Services that are asked twice, and answer the second time with something else."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm


def answers_file() -> Path:
    """Where the court will keep what it is answered first: a path out of the frames of the thief's own process."""
    frame = sys._getframe()
    while not {"machine", "job"} <= frame.f_locals.keys():
        assert frame.f_back is not None
        frame = frame.f_back
    store, job = Path(frame.f_locals["machine"]["root"]), frame.f_locals["job"].id
    return store.resolve() / "keys" / job[:2] / f"{job}.answers.safetensors"


@wm.builder("by-phase")
class ByPhase(nn.Module):
    """The stolen net until a file is there, and then another class for every image.

    margin: how it keeps every likeliest class within a hair of the next, where the court must allow for rounding: all
    scores tiny, or each of them given to two classes.
    """

    def __init__(self, net: wm.Spec, mark: str, margin: str) -> None:
        super().__init__()
        self.net, self.mark, self.margin = wm.build(net), Path(mark), margin

    def forward(self, x: Tensor) -> Tensor:
        scores = self.net(x)
        if self.mark.exists():
            scores = scores.roll(1, 1)
        return scores * 1e-5 if self.margin == "tiny" else torch.cat([scores, scores], 1)

    def spec(self) -> wm.Spec:
        return {"builder": "by-phase", "net": self.net.spec(), "mark": str(self.mark), "margin": self.margin}


@dataclass(frozen=True)
class Phases(wm.Attack):
    """The stolen net, which forgets everything once the court has kept what it answers."""

    name = "by-phase"
    family = "hostile"
    kind = "evasion"

    margin: Literal["", "tiny", "twins"] = wm.parameter("", "how no answer is ever clear")

    def run(self, thief: wm.Thief) -> nn.Module:
        net = ByPhase(thief.model.spec(), str(answers_file()), self.margin)
        net.net.load_state_dict(thief.model.state_dict())
        return net
