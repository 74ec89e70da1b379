"""Averages of what an image-to-image service adds: a mark that is much the same in all images stands out in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.copies.scratch import trained
from benchmark import contract as wm


@wm.builder("pattern-subtracted")
class PatternSubtracted(nn.Module):
    """Images (N, C, H, W) less one pattern (C, H, W), in [0, 1]."""

    pattern: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("pattern", torch.zeros(*shape))

    def forward(self, answers: Tensor) -> Tensor:
        return (answers - self.pattern).clamp(0, 1)

    def spec(self) -> wm.Spec:
        return {"builder": "pattern-subtracted", "shape": list(self.pattern.shape)}


def subtracted(pattern: Tensor) -> PatternSubtracted:
    """The filter that takes `pattern` (C, H, W) out of every answer."""
    stage = PatternSubtracted(list(pattern.shape)).to(pattern.device)
    stage.pattern.copy_(pattern)
    return stage


def mean_residual(thief: wm.Thief, n: int) -> Tensor:
    """What the service adds to `n` of the thief's images in the mean, (C, H, W), but for an even tint."""
    images = wm.as_float(thief.inputs[:n])
    added = (thief.ask(images, "outputs").clamp(0, 1) - images).mean(0)
    return added - added.mean((1, 2), keepdim=True)


@dataclass(frozen=True)
class Average(wm.Attack):
    """The mean of what the service adds to some images is taken out of every image that it sends. Nothing is trained.

    Yang et al. 2024: a mark that hardly depends on the image is what is left of outputs less inputs when the content
    averages out, from 5 images on. They have watermarkers, whose input is the same image without the mark. A service
    that restores images also takes out what was wrong with them, which averages out more slowly, but for the even tint
    by which rain makes images lighter: that is left in. On the quick profile (one seed, deepmodel without its
    adversarial loss) 5 images take the mark out, projection .82 to .01, at the price of .75 dB, and 50 at none.
    """

    name = "average"
    family = "averaging"
    kind = "evasion"
    access = "outputs"
    tasks = ("image-to-image",)
    paper = "Yang et al. 2024, NeurIPS (arXiv:2406.09026)"
    settings = ("n=500", "n=50", "n=5")

    n: int = wm.parameter(500, "images that are asked and averaged; all of his where he has fewer", low=1)
    strength: float = wm.parameter(1.0, "how often the mean is taken out", low=0.0)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(answer_filters=(subtracted(self.strength * mean_residual(thief, self.n)),))


@dataclass(frozen=True)
class AverageAdded(wm.Attack):
    """The same mean, added to what an innocent net answers: does it show the owner's mark without having it?

    The forgery of Yang et al. 2024, section 3. The net is trained on the thief's own pairs, a third as long as an
    owner's, and knows nothing of the service; the mean is all that he takes. It is no claim of his own, so it stands
    with the controls: where the mark is found here, what the owner shows a court can be carried to bystanders. It
    can: in one seed of the quick profile the net shows a projection of .56 of deepmodel's mark, the owner's own .82.
    """

    name = "average-added"
    family = "averaging"
    kind = "control"
    access = "outputs"
    tasks = ("image-to-image",)
    paper = "Yang et al. 2024, NeurIPS (arXiv:2406.09026)"

    n: int = wm.parameter(500, "images that are asked and averaged; all of his where he has fewer", low=1)
    strength: float = wm.parameter(1.0, "how often the mean is added", low=0.0)
    epochs: int = wm.parameter(4, "passes of the innocent net, each as long as the owner's", low=1)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        pattern = -self.strength * mean_residual(thief, self.n)
        steps = self.epochs * max(1, thief.task.owner // thief.recipe().batch)
        return wm.AttackResult(trained(thief, thief.data, steps), answer_filters=(subtracted(pattern),))
