"""What is answered to a query that was rejected: the answer to one of the thief's own images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmark import contract as wm

SET_ASIDE = 4  # one image in so many sets the threshold


class StandIns(nn.Module):
    """A filter that puts one of `stand_ins` images of `shape` in the place of a query whose score is above a threshold.

    Which one is drawn anew for every image, and the same when that image is asked again.
    """

    stand_ins: Tensor
    threshold: Tensor

    def __init__(self, stand_ins: int, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("stand_ins", torch.zeros(stand_ins, *shape, dtype=torch.uint8))
        self.register_buffer("threshold", torch.zeros(()))

    def arm(self, stand_ins: Tensor, threshold: Tensor) -> None:
        """Set the images, uint8 (stand_ins, *shape), and the score above which a query is rejected."""
        self.stand_ins.copy_(stand_ins)
        self.threshold.copy_(threshold)

    def replaced(self, x: Tensor, scores: Tensor, draws: wm.Draws) -> Tensor:
        """`x` (N, C, H, W), but stand-ins where `scores` (N,) are above the threshold."""
        chosen = (draws.uniform((1,))[:, 0] * len(self.stand_ins)).long()
        return torch.where((scores > self.threshold).view(-1, 1, 1, 1), wm.as_float(self.stand_ins[chosen]), x)


def parted(thief: wm.Thief) -> tuple[Tensor, Tensor]:
    """The thief's images uint8 (N, C, H, W) in two: what he learns on, and a quarter that sets the threshold.

    A threshold on images that were learnt on would reject more of everybody else's.
    """
    order = torch.randperm(len(thief.inputs), generator=thief.rng).to(thief.device)
    spared = max(1, len(order) // SET_ASIDE)
    return thief.inputs[order[spared:]], thief.inputs[order[:spared]]


def threshold_of(scores: Tensor, false_rejects: float) -> Tensor:
    """The score that a share `false_rejects` of `scores` lies above; above the largest there is none."""
    return scores.quantile(1 - false_rejects, interpolation="higher")
