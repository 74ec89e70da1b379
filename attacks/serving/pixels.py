"""Filters of pixels: noise, smoothing, fewer grey levels, mirrored images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm


def placed(thief: wm.Thief, stage: nn.Module) -> wm.AttackResult:
    """`stage` where a mark has to pass: before a classifier is asked; behind a net whose images carry the mark."""
    if thief.task.kind == "image-to-image":
        return wm.AttackResult(answer_filters=(stage,))
    return wm.AttackResult(filters=(stage,))


@wm.builder("added-noise")
class AddedNoise(nn.Module):
    """Images (N, C, H, W) with normal noise of standard deviation `sigma`, in [0, 1]."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor, draws: wm.Draws) -> Tensor:
        return (x + self.sigma * draws.normal(x.shape[1:])).clamp(0, 1)

    def spec(self) -> wm.Spec:
        return {"builder": "added-noise", "sigma": self.sigma}


@wm.builder("gaussian-blur")
class GaussianBlur(nn.Module):
    """Images (N, C, H, W) under a Gaussian kernel of 3x3 pixels; images are mirrored at their edge."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        line = (-0.5 * torch.tensor([-1.0, 0.0, 1.0], device=x.device).div(self.sigma).square()).exp()
        kernel = (line[:, None] * line / line.sum() ** 2).expand(x.shape[1], 1, 3, 3)
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])

    def spec(self) -> wm.Spec:
        return {"builder": "gaussian-blur", "sigma": self.sigma}


@wm.builder("fewer-levels")
class FewerLevels(nn.Module):
    """Images (N, C, H, W) in [0, 1] with every number rounded to one of `levels` that are evenly spread."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor) -> Tensor:
        return (x.clamp(0, 1) * (self.levels - 1)).round() / (self.levels - 1)

    def spec(self) -> wm.Spec:
        return {"builder": "fewer-levels", "levels": self.levels}


@wm.builder("mirrored")
class Mirrored(nn.Module):
    """Images (N, C, H, W), left and right exchanged."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(3)

    def spec(self) -> wm.Spec:
        return {"builder": "mirrored"}


@dataclass(frozen=True)
class Noise(wm.Attack):
    """Normal noise on every query, or on every image that an image-to-image service sends.

    Input noising of the Watermark-Robustness-Toolbox (Lukas et al. 2022), with sigma .01 to .1. The noise of an image
    follows from that image, so that whoever asks twice learns nothing.
    """

    name = "noise"
    family = "input-transform"
    kind = "evasion"
    access = "none"
    tasks = ("classification", "image-to-image")
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"
    settings = ("sigma=0.1", "sigma=0.03")

    sigma: float = wm.parameter(0.1, "standard deviation of the noise, of 1", low=0.0)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return placed(thief, AddedNoise(self.sigma))


@dataclass(frozen=True)
class Smooth(wm.Attack):
    """A Gaussian kernel of 3x3 pixels over every query, or over every image that an image-to-image service sends.

    Input smoothing of the Watermark-Robustness-Toolbox (Lukas et al. 2022), with sigma .5 to .7.
    """

    name = "smooth"
    family = "input-transform"
    kind = "evasion"
    access = "none"
    tasks = ("classification", "image-to-image")
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"
    settings = ("sigma=0.7", "sigma=0.5")

    sigma: float = wm.parameter(0.7, "width of the kernel, in pixels", low=0.01)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return placed(thief, GaussianBlur(self.sigma))


@dataclass(frozen=True)
class BitDepth(wm.Attack):
    """Every number of a query, or of an image that an image-to-image service sends, is rounded to a few levels.

    Input quantisation of the Watermark-Robustness-Toolbox (Lukas et al. 2022: 16, 12 or 10 levels); bit-depth
    reduction of Xu et al. 2018 (section 3: 1 bit, two levels, for handwritten digits).
    """

    name = "bit-depth"
    family = "input-transform"
    kind = "evasion"
    access = "none"
    tasks = ("classification", "image-to-image")
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974); Xu et al. 2018, NDSS (arXiv:1704.01155)"
    settings = ("levels=10", "levels=2")

    levels: int = wm.parameter(10, "levels that are left of a pixel", low=2, high=256)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return placed(thief, FewerLevels(self.levels))


@dataclass(frozen=True)
class Mirror(wm.Attack):
    """Every query is mirrored, and where the answer is an image, it is mirrored back.

    Input flipping of the Watermark-Robustness-Toolbox (Lukas et al. 2022), which mirrors at random; whoever serves the
    model gains nothing by leaving half the queries as they are. A restored image is as good either way, with the mark
    in it the wrong way round. A classifier answers as well where left and right don't matter; on digits, where they do,
    it becomes useless: of the mirrored ones it names four in ten as before.
    """

    name = "mirror"
    family = "input-transform"
    kind = "evasion"
    access = "none"
    tasks = ("classification", "image-to-image")
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        back = (Mirrored(),) if thief.task.kind == "image-to-image" else ()
        return wm.AttackResult(filters=(Mirrored(),), answer_filters=back)
