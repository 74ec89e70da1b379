"""A remover behind an image-to-image service: a net that learns to leave nothing for an extractor to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.copies.surrogate import bought
from benchmark import contract as wm

Reads = Callable[[Tensor, Tensor], Tensor]  # of queries and answers: what it reads, 0 where there is no mark


def remover_of(
    thief: wm.Thief, queries: Tensor, answers: Tensor, wanted: Tensor, reads: Reads, weight: float, epochs: int
) -> nn.Module:
    """A UNet that makes `wanted` of `answers`, and in which an extractor reads nothing. Images are uint8 (N, C, H, W).

    The loss is the squared error of a pixel and `weight` times the absolute value of what is read.
    """
    model = thief.assemble(thief.context.spec("unet"))

    def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        ((both, goal),) = batches
        asked, answer = both.chunk(2, 1)
        made = model(answer)
        return F.mse_loss(made, goal) + weight * reads(asked, made).abs().mean()

    images = wm.Data(torch.cat([queries, answers], 1), wanted)
    return thief.fit(model, thief.recipe(epochs=epochs, lr=2e-3, optimiser="adam"), data=images, step=step)


@dataclass(frozen=True)
class GuidedRemover(wm.OracleAttack):
    """A remover trained through the owner's own extractor, on what the service answers.

    An et al. 2024, section 4.1: a UNet behind the service learns to keep its images, and to leave the extractor
    nothing. They ask the extractor, and get its gradient from the answers; whoever is given the key has the gradient
    for nothing, which bounds what queries could do. deepmodel's projection falls from .82 to .01 in 20 passes. A mark
    of deepmodel-bits, whose reader compares with the image that a net without the mark makes, is left a quarter of its
    strength, and the signs of that still tell most bits.
    """

    name = "guided-remover"
    family = "remover"
    kind = "oracle-removal"
    access = "outputs"
    tasks = ("image-to-image",)
    requires = "extractor"
    paper = "An et al. 2024 (arXiv:2405.09863)"

    weight: float = wm.parameter(0.01, "of what the extractor reads, beside the squared error of a pixel", low=0.0)
    epochs: int = wm.parameter(6, "passes of the remover over the service's images", low=1)

    def run(self, thief: wm.Insider) -> wm.AttackResult:  # type: ignore[override]  # of the key-oracle lane
        pairs = bought(thief)
        reads = thief.scheme.extractor(thief.key, thief.device)
        return wm.AttackResult(
            answer_filters=(remover_of(thief, pairs.x, pairs.y, pairs.y, reads, self.weight, self.epochs),)
        )
