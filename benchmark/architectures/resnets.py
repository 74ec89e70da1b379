"""ResNet-18 and wide residual nets, made of ConvBlocks in the order convolution, normalisation, ReLU.

That is the standard placement (He et al. 2016, CVPR): ReLU after the addition, none on the shortcut. Two papers differ:
DeepIPR's code puts another ReLU on both branches before the addition, and wide residual nets (Zagoruyko & Komodakis
2016) normalise before each convolution. Here every convolution is followed by its own normalisation, whose scale is
what a passport derives and a flip turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Unpack, cast

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.architectures.blocks import (
    ClassifierTask,
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

Stem = Literal["cifar", "imagenet"]


class BasicBlock(nn.Module):
    """Two 3x3 ConvBlocks beside the input itself, or beside its 1x1 projection."""

    def __init__(self, inputs: int, stride: int, project: bool, layers: Iterator[tuple[int, Norm]]) -> None:
        super().__init__()
        (middle, norm), (outputs, second_norm) = next(layers), next(layers)
        self.first = ConvBlock(inputs, middle, stride=stride, norm=norm)
        self.second = ConvBlock(middle, outputs, relu=False, norm=second_norm)
        self.shortcut: nn.Module = nn.Identity()
        if project:
            _, norm = next(layers)
            self.shortcut = ConvBlock(inputs, outputs, stride=stride, kernel=1, relu=False, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet(nn.Module):
    """A stem, stages of BasicBlocks, global average pooling and a head.

    `projects` says of each stage whether its first block projects its input; stages after the first halve the
    resolution. `widths` are the channels after each ConvBlock, in the order of `conv_blocks`. `arguments` are those
    of the builder that `widths` don't tell.
    """

    def __init__(
        self,
        name: str,
        blocks: int,
        projects: Sequence[bool],
        widths: Sequence[int],
        norm: Norms,
        stem: Stem = "cifar",
        arguments: Mapping[str, Any] | None = None,
        *,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.name, self.arguments, self.pools = name, dict(arguments or {}), stem == "imagenet"
        self.normalise = Normalise(mean, std)
        layers = iter(list(zip(widths, norms_of(norm, len(widths)), strict=True)))
        channels, first_norm = next(layers)
        kernel, stride = (7, 2) if stem == "imagenet" else (3, 1)
        self.stem = ConvBlock(len(mean), channels, kernel=kernel, stride=stride, norm=first_norm)
        self.blocks = nn.ModuleList()
        for stage, projected in enumerate(projects):
            for index in range(blocks):
                stride = 2 if stage > 0 and index == 0 else 1
                block = BasicBlock(channels, stride, projected and index == 0, layers)
                channels = block.second.conv.out_channels
                self.blocks.append(block)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(self.normalise(x))
        if self.pools:
            x = F.max_pool2d(x, 3, 2, 1)
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.head(x.mean((2, 3))))

    def spec(self) -> Spec:
        return {
            "builder": self.name,
            "classes": self.head.out_features,
            "widths": [block.conv.out_channels for _, block in conv_blocks(self)],
            "norm": described_norms(self),
            **self.arguments,
            **self.normalise.spec(),
        }


def _widths(stem: int, stages: Sequence[int], blocks: int, projects: Sequence[bool]) -> list[int]:
    widths = [stem]
    for width, projected in zip(stages, projects, strict=True):
        widths += [width] * (2 * blocks + projected)
    return widths


@builder("resnet18")
def resnet18(
    width: int = 64,
    stem: Stem = "cifar",
    widths: Sequence[int] | None = None,
    norm: Norms = "batch",
    **task: Unpack[ClassifierTask],
) -> ResNet:
    """ResNet-18 (He et al. 2016): stages of two blocks with 64, 128, 256 and 512 channels, 11.2 M parameters.

    stem "cifar": 3x3 convolution at full resolution; "imagenet": 7x7 with stride 2 and pooling. The last stage has
    five convolutions, the last five of `conv_blocks`: DeepIPR's passport layers (2,560 bits).
    """
    projects = (False, True, True, True)
    widths = widths or _widths(width, [width, 2 * width, 4 * width, 8 * width], 2, projects)
    return ResNet("resnet18", 2, projects, widths, norm, stem, {"stem": stem}, **task)


@builder("wide-resnet")
def wide_resnet(
    depth: int = 28,
    width: int = 10,
    widths: Sequence[int] | None = None,
    norm: Norms = "batch",
    **task: Unpack[ClassifierTask],
) -> ResNet:
    """Wide residual net (Zagoruyko & Komodakis 2016), 28-10 by default: 36.5 M parameters.

    `depth` is 6n + 4, `width` widens the three stages of 16, 32 and 64 channels. Raises ValueError for other depths.
    """
    if depth < 10 or depth % 6 != 4:
        raise ValueError(f"the depth of a wide-resnet is 10, 16, 22, 28 and so on, not {depth}")
    blocks, projects = (depth - 4) // 6, (True, True, True)
    widths = widths or _widths(16, [16 * width, 32 * width, 64 * width], blocks, projects)
    return ResNet("wide-resnet", blocks, projects, widths, norm, arguments={"depth": depth}, **task)
