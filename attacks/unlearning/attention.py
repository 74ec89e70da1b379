"""Attention distillation: the stolen net learns to look where a fine-tuned copy of it looks."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from attacks.unlearning.layers import filter_blocks, watching
from benchmark import contract as wm

SHARES = (0.5, 1.0, 1.0)  # of beta, for three layers from the input to the output, as published


@dataclass(frozen=True)
class Nad(wm.Attack):
    """A copy of the stolen net is fine-tuned; then the net itself is, while it learns to look where the copy looks.

    Li et al. 2021 (neural attention distillation): cross-entropy plus the squared distance of attention maps behind
    three layers, weighted 500, 1,000 and 1,000. Teacher and student are trained on all images of the thief; what has no
    label gets that of the service. Different: maps are taken at the ends of the thirds of any net, where the paper has
    the three groups of a residual net, in a transformer over its tokens; the rate falls as a cosine. As published, with
    10 and 20 passes, it costs two to three points on digits, where a pass has few steps; half the weight and twice the
    passes cost one.
    """

    name = "nad"
    family = "unlearning"
    kind = "removal"
    access = "weights"
    paper = "Li et al. 2021, ICLR (arXiv:2101.05930)"

    beta: float = wm.parameter(500.0, "weight of the two later attention maps; the first has half of it", low=0.0)
    lr: float = wm.parameter(0.1, "learning rate at its peak, of teacher and student", low=0.0)
    epochs: int = wm.parameter(40, "passes of the student over the thief's images; the teacher takes half", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, own = wm.plain(thief.model), thief.annotated
        half = thief.recipe(lr=self.lr, epochs=math.ceil(self.epochs / 2))
        teacher = thief.fit(copy.deepcopy(model), half, data=own).requires_grad_(False)
        with (
            watching(thirds(filter_blocks(model)), "leaves") as mine,
            watching(thirds(filter_blocks(teacher)), "leaves") as taught,
        ):

            def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
                ((x, y),) = batches
                loss = F.cross_entropy(model(x), y)
                teacher(x)
                for share, one, other in zip(SHARES, mine, taught, strict=True):
                    loss = loss + share * self.beta * F.mse_loss(attention(one), attention(other))
                return loss

            return thief.fit(model, thief.recipe(lr=self.lr, epochs=self.epochs), data=own, step=step)


def thirds(layers: Sequence[nn.Module]) -> list[nn.Module]:
    """The layers that end each third of the net."""
    return [layers[math.ceil(part * len(layers) / len(SHARES)) - 1] for part in range(1, len(SHARES) + 1)]


def attention(channels: Tensor) -> Tensor:
    """Where a layer is active: squares summed over the channels of maps (N, C, H, W) or tokens (N, T, C), each of the
    results of length one.
    """
    return F.normalize(channels.float().square().sum(1 if channels.dim() == 4 else -1).flatten(1), eps=1e-6)
