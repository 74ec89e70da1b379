"""What a service answers, and what of it counts: read once, checked, and fitted to the classes of the task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CLEAR = 1e-3  # lead of the likeliest class that rounding can't undo, as a share of its lead over the mean class
HAIR = 0.02  # share of images whose likeliest class may change where it isn't clear: rounding changes far fewer
ALIKE = 1e-3  # gap between two nets that compute the same, as a share of the lead of the likeliest class, or in images
LEVEL = 1.5 / 255  # two images are alike where they differ by no more than one level of 255, however they round
SLIVER = 1e-3  # share of an image's numbers that may differ by more


@dataclass(frozen=True)
class Answers:
    """What a service answered to the judge's images, in their order. It is asked them once, and all is read off this.

    outputs: float32 on the CPU, logits (N, classes) of as many classes as the service knows, or images (N, C, H, W).
    """

    outputs: Tensor

    @property
    def lead(self) -> Tensor:
        """By how much the likeliest class leads the next, (N,); 1 where there is no next, or answers are images."""
        if self.outputs.dim() != 2 or self.outputs.shape[1] < 2:
            return torch.ones(len(self.outputs), dtype=torch.float64)
        best = self.outputs.double().topk(2, 1).values
        return best[:, 0] - best[:, 1]

    @property
    def clear(self) -> Tensor:
        """For which images the likeliest class leads clearly, whatever the scale of the scores, boolean (N,)."""
        scores = self.outputs.double()
        return self.lead > CLEAR * (scores.amax(1) - scores.mean(1))


def checked(outputs: Tensor, images: Tensor, kind: str) -> Tensor:
    """`outputs` of a service for `images` (N, C, H, W) of a task of this kind, float32 on the CPU.

    Raises ValueError unless every image is answered with finite scores, or with an image of its own shape.
    """
    outputs = outputs.detach().float().cpu()
    if kind == "image-to-image":
        fits, wanted = outputs.shape == images.shape, str(tuple(images.shape))
    else:
        fits = outputs.dim() == 2 and len(outputs) == len(images) and outputs.shape[1] > 0
        wanted = f"({len(images)}, classes)"
    if not fits:
        raise ValueError(f"the model answers with shape {tuple(outputs.shape)}, expected {wanted}")
    if not bool(torch.isfinite(outputs).all()):
        raise ValueError("the model answers with NaN or infinity")
    return outputs


def probabilities(outputs: Tensor, classes: int) -> Tensor:
    """Probabilities (N, classes) of logits (N, any number): of the task's classes alone, 0 for one that is missing."""
    known = outputs[:, :classes].softmax(1)
    return torch.nn.functional.pad(known, (0, classes - known.shape[1]))


def differing(before: Answers, after: Tensor) -> Tensor:
    """For which images the same service did not answer `after` what it answered before, boolean (N,).

    Classes are compared where they are clear, and everywhere if more of them than a hair's breadth explains are others;
    images level by level, but for a sliver of their numbers.
    """
    if before.outputs.shape[1:] != after.shape[1:]:
        return torch.ones(len(after), dtype=torch.bool)
    if after.dim() == 2:
        other = before.outputs.argmax(1) != after.argmax(1)
        return other if float(other.float().mean()) > HAIR else other & before.clear
    gap = (before.outputs.clamp(0, 1) - after.clamp(0, 1)).abs() > LEVEL
    return gap.flatten(1).float().mean(1) > SLIVER


def alike(before: Answers, after: Tensor) -> float:
    """The share of images to which two services give the same answer, as two forms of one net do."""
    same = gaps(before.outputs, after) <= ALIKE * before.lead
    if after.dim() == 2:
        same &= before.outputs.argmax(1) == after.argmax(1)
    return float(same.float().mean())


def gaps(one: Tensor, other: Tensor) -> Tensor:
    """The largest gap between two services' outputs for each image, of the classes or channels that both give, (N,)."""
    both = min(one.shape[1], other.shape[1])
    return (one[:, :both].double() - other[:, :both].double()).abs().flatten(1).amax(1)
