"""Knockoff: the service is asked about pictures that have nothing to do with its task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.transfer import shapes
from benchmark import contract as wm


@dataclass(frozen=True)
class Knockoff(wm.Attack):
    """A surrogate learns the service's probabilities for foreign pictures; the thief needs no image of the task.

    Orekondy et al. 2019, with random selection: soft answers for whatever pictures are at hand. `photographs`: patches
    of the two that scikit-learn carries, of all sizes, in grey or colour as the task is. `abstract`: procedural
    pictures, as triggers of the literature are; a mark whose key is of that kind may be learnt with the rest. `shapes`:
    the pictures of `transfer`. The paper's knockoffs do better the nearer the pictures are to the task.
    """

    name = "knockoff"
    family = "extraction"
    kind = "extraction"
    access = "probabilities"
    paper = "Orekondy et al. 2019, CVPR (arXiv:1812.02766)"
    settings = ("source=shapes", "source=photographs", "source=abstract")

    source: Literal["photographs", "abstract", "shapes"] = wm.parameter("shapes", "what the service is asked about")
    queries: int = wm.parameter(3000, "foreign pictures that are asked", low=1)
    epochs: int = wm.parameter(15, "passes over the answers", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        pictures = foreign(self.source, self.queries, thief.task.shape, thief.rng).to(thief.device)
        soft = wm.Data(pictures, thief.ask(wm.as_float(pictures), "probabilities"))
        return thief.fit(thief.build(), thief.recipe(epochs=self.epochs), data=soft)


def foreign(source: str, n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Tensor:
    """`n` pictures uint8 (n, *shape) of one source. Raises NotApplicable for patches of neither grey nor colour."""
    if source == "shapes":
        return shapes(n, shape, rng).x
    if source == "abstract":
        return wm.abstract_images(n, shape, rng)
    if shape[0] not in (1, 3):
        raise wm.NotApplicable(f"the photographs are grey or in colour, the task's images have {shape[0]} channels")
    return patches(n, shape, rng)


def patches(n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Tensor:
    """`n` square patches uint8 (n, *shape) from anywhere in two photographs, scaled to `shape`."""
    whole = wm.photographs(shape[0]).permute(0, 3, 1, 2)
    which = torch.randint(len(whole), (n,), generator=rng).tolist()
    sides = torch.randint(min(shape[1:]), min(whole.shape[2:]) + 1, (n,), generator=rng).tolist()
    corners = torch.rand(n, 2, generator=rng).tolist()
    found = []
    for one, side, (down, right) in zip(which, sides, corners, strict=True):
        top, left = int(down * (whole.shape[2] - side + 1)), int(right * (whole.shape[3] - side + 1))
        patch = wm.as_float(whole[one, None, :, top : top + side, left : left + side])
        found.append(wm.as_bytes(F.interpolate(patch, size=shape[1:], mode="area")))
    return torch.cat(found)
