"""The small nets of the quick profile: a chain of three convolutions, and a residual net.

Input (N, C, H, W) in [0, 1], output logits (N, classes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.architectures.blocks import (
    ConvBlock,
    Norm,
    Normalise,
    Norms,
    Spec,
    builder,
    conv_blocks,
    described_norms,
    norms_of,
)


@builder("convnet")
class ConvNet(nn.Module):
    """Three ConvBlocks (default 16-32-64), max-pooling after the first two, a 2x2 pooled head.

    24 k parameters; a 16x16 input is enough.
    """

    def __init__(
        self,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
        widths: Sequence[int] = (16, 32, 64),
        norm: Norms = "batch",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, std)
        inputs, norms = [len(mean), *widths[:-1]], norms_of(norm, len(widths))
        self.blocks = nn.ModuleList(ConvBlock(i, o, norm=n) for i, o, n in zip(inputs, widths, norms, strict=True))
        self.head = nn.Linear(widths[-1] * 4, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalise(x)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index < 2:
                x = F.max_pool2d(x, 2)
        return cast(Tensor, self.head(F.adaptive_avg_pool2d(x, 2).flatten(1)))

    def spec(self) -> Spec:
        widths = [block.conv.out_channels for _, block in conv_blocks(self)]
        return {
            "builder": "convnet",
            "classes": self.head.out_features,
            "widths": widths,
            "norm": described_norms(self),
            **self.normalise.spec(),
        }


class ResidualBlock(nn.Module):
    """Two ConvBlocks beside a 1x1 shortcut; `widths` are the channels after each of the two."""

    def __init__(self, inputs: int, widths: Sequence[int], stride: int, norms: Sequence[Norm]) -> None:
        super().__init__()
        middle, outputs = widths
        self.first = ConvBlock(inputs, middle, stride=stride, norm=norms[0])
        self.second = ConvBlock(middle, outputs, relu=False, norm=norms[1])
        self.shortcut = ConvBlock(inputs, outputs, stride=stride, kernel=1, relu=False, norm=norms[2])

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


@builder("resnet8")
class ResNet8(nn.Module):
    """A stem and three residual blocks (He et al. 2016, the CIFAR form with n = 1), 20 k parameters at width 8."""

    def __init__(
        self,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
        stem: int = 8,
        widths: Sequence[Sequence[int]] = ((8, 8), (16, 16), (32, 32)),
        norm: Norms = "batch",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, std)
        norms = norms_of(norm, 1 + 3 * len(widths))
        self.stem = ConvBlock(len(mean), stem, norm=norms[0])
        inputs = [stem, *(pair[1] for pair in widths[:-1])]
        self.blocks = nn.ModuleList(
            ResidualBlock(i, pair, 1 if index == 0 else 2, norms[1 + 3 * index :][:3])
            for index, (i, pair) in enumerate(zip(inputs, widths, strict=True))
        )
        self.head = nn.Linear(widths[-1][1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(self.normalise(x))
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.head(x.mean((2, 3))))

    def spec(self) -> Spec:
        blocks = [cast(ResidualBlock, block) for block in self.blocks]
        return {
            "builder": "resnet8",
            "classes": self.head.out_features,
            "stem": self.stem.conv.out_channels,
            "widths": [[b.first.conv.out_channels, b.second.conv.out_channels] for b in blocks],
            "norm": described_norms(self),
            **self.normalise.spec(),
        }
