"""The small nets of the quick profile: a chain of three convolutions, and a residual net.

Input (N, C, H, W) in [0, 1], output logits (N, classes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from benchmark.architectures.blocks import ClassifierTask, Norms, Spec, builder
from benchmark.architectures.convnets import POOL, Stack
from benchmark.architectures.resnets import ResNet


@builder("convnet")
class ConvNet(Stack):
    """Three ConvBlocks (default 16-32-64), max-pooling after the first two, a 2x2 pooled head.

    24 k parameters; a 16x16 input is enough.
    """

    def __init__(
        self, widths: Sequence[int] = (16, 32, 64), norm: Norms = "batch", **task: Unpack[ClassifierTask]
    ) -> None:
        layout = (3, POOL, 3, POOL, *[3] * (len(widths) - 2))
        super().__init__("convnet", layout, 2, widths, norm, round_up=False, **task)


@builder("resnet8")
class ResNet8(ResNet):
    """A stem and three residual blocks (He et al. 2016, the CIFAR form with n = 1), each beside a 1x1 projection.

    20 k parameters at width 8. `widths` are the channels after each of the two convolutions of a block.
    """

    def __init__(
        self,
        stem: int = 8,
        widths: Sequence[Sequence[int]] = ((8, 8), (16, 16), (32, 32)),
        norm: Norms = "batch",
        **task: Unpack[ClassifierTask],
    ) -> None:
        each = [stem, *(width for middle, outputs in widths for width in (middle, outputs, outputs))]
        super().__init__("resnet8", 1, [True] * len(widths), each, norm, **task)

    def spec(self) -> Spec:
        found = dict(super().spec())
        stem, *rest = found.pop("widths")
        pairs = [[rest[index], rest[index + 1]] for index in range(0, len(rest), 3)]
        return {
            "builder": found.pop("builder"),
            "classes": found.pop("classes"),
            "stem": stem,
            "widths": pairs,
            **found,
        }
