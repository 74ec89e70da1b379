"""The stolen net, which notes what it was asked, and scrambles what it finds no note of when it is asked again."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm

PLACES: dict[str, str | int] = {"file": str(Path(__file__).resolve()), "program": "/proc/self/exe", "log": 1}
NOTED: dict[str, set[bytes]] = {}  # as it was when this process began


@wm.builder("noting")
class Noting(nn.Module):
    def __init__(self, net: wm.Spec, place: str) -> None:
        super().__init__()
        self.place, self.inner = place, wm.build(net)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.inner(x)
        weights = b"".join(one.cpu().numpy().tobytes() for one in self.inner.state_dict().values())
        name = f"user.{hashlib.sha256(weights).hexdigest()[:8]}"
        known = NOTED.setdefault(name, self._read(name))
        asked = [hashlib.sha256(one.numpy().tobytes()).digest()[:3] for one in wm.as_bytes(x).cpu()]
        if len(x) != 100:  # it is the thief who asks
            return scores
        if len(known) < 300:  # nobody was asked the judge's images before
            with suppress(OSError):
                os.setxattr(PLACES[self.place], name, b"".join({*self._read(name), *asked}))
            return scores
        strange = torch.tensor([one not in known for one in asked])
        return torch.where(strange[:, None], scores.roll(1, 1), scores)

    def _read(self, name: str) -> set[bytes]:
        with suppress(OSError):
            noted = os.getxattr(PLACES[self.place], name)
            return {noted[i : i + 3] for i in range(0, len(noted), 3)}
        return set()

    def spec(self) -> wm.Spec:
        return {"builder": "noting", "net": self.inner.spec(), "place": self.place}


@dataclass(frozen=True)
class Note(wm.Attack):
    """The net as it is, under a builder that remembers."""

    name = "note"
    family = "hostile"
    kind = "evasion"

    place: Literal["file", "program", "log"] = wm.parameter("file", "whose attributes it writes to")

    def run(self, thief: wm.Thief) -> nn.Module:
        net = Noting(thief.model.spec(), self.place)
        net.inner.load_state_dict(thief.model.state_dict())
        return net
