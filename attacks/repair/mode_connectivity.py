"""A curve through weights along which the task is kept, and a mark is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from attacks.rewriting.merge import recalibrated
from benchmark import contract as wm


@dataclass(frozen=True)
class ModeConnectivity(wm.Attack):
    """A point on a curve from the stolen net to its fine-tune, whose bend is trained on the thief's images alone.

    Mode connectivity repair (Zhao et al. 2020): a quadratic Bezier curve (Garipov et al. 2018), of which the middle one
    of three control points learns the task at random places in between; near its ends the mark fades before the
    accuracy does. With one stolen net the other end is fine-tuned from it, as the authors do. Labels are bought.
    The authors' t is 0.1, with rate 0.01.
    """

    name = "mode-connectivity"
    family = "mode connectivity"
    kind = "removal"
    access = "weights"
    paper = "Zhao et al. 2020, ICLR (arXiv 2005.00060)"

    t: float = wm.parameter(0.5, "the place on the curve: 0 is the stolen net, 1 the fine-tuned", low=0.0, high=1.0)
    epochs: int = wm.parameter(20, "passes over the thief's images that train the fine-tuned end, and the bend", low=1)
    lr: float = wm.parameter(0.2, "learning rate at its peak", low=0.0)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, data = wm.plain(thief.model), thief.annotated
        recipe = thief.recipe(epochs=self.epochs, lr=self.lr)
        tuned = thief.fit(wm.Net.of(model).module(thief.device), recipe, data=data)
        first, last = ({name: one.detach() for name, one in net.named_parameters()} for net in (model, tuned))
        first = {name: one.clone() for name, one in first.items()}
        bend = {name: nn.Parameter((first[name] + last[name]) / 2) for name in first}

        def at(t: Tensor | float) -> dict[str, Tensor]:
            """The weights at a place on the curve."""
            return {
                name: (1 - t) ** 2 * first[name] + 2 * t * (1 - t) * middle + t**2 * last[name]
                for name, middle in bend.items()
            }

        def placed(x: Tensor, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            """Beside each label a random place; that of the first image counts for its batch."""
            return x, torch.stack([y.float(), torch.rand(len(y), generator=rng, device=rng.device).to(x.device)], 1)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, targets),) = batches
            return F.cross_entropy(cast(Tensor, functional_call(model, at(targets[0, 1]), (x,))), targets[:, 0].long())

        model.requires_grad_(False)
        thief.fit(model, recipe, data=data, step=step, augment=placed, parameters=list(bend.values()))
        with torch.no_grad():
            model.load_state_dict(at(self.t), strict=False)
        return recalibrated(model.requires_grad_(True), wm.as_float(thief.inputs))
