"""Geometry: the service is asked for the mirrored image and its answer is mirrored back."""

from __future__ import annotations

from dataclasses import dataclass

from attacks.serving.pixels import Mirrored
from benchmark import contract as wm


@dataclass(frozen=True)
class MirrorImages(wm.Attack):
    """Every query is mirrored, and so is the answer: the same picture, with the mark the wrong way round.

    Input flipping of the Watermark-Robustness-Toolbox (Lukas et al. 2022), for services whose answers are images. A
    restored image is as good either way, so nothing is lost; a mark whose secret has a left and a right is.
    """

    name = "mirror-images"
    family = "input-transform"
    kind = "evasion"
    access = "none"
    tasks = ("image-to-image",)
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(filters=(Mirrored(),), answer_filters=(Mirrored(),))
