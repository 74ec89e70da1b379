"""ResNet-8, ResNet-18 and wide residual nets, made of ConvBlocks in the order convolution, normalisation, ReLU.

That is the standard placement (He et al. 2016, CVPR): ReLU after the addition, none on the shortcut. Two papers differ:
DeepIPR's code puts another ReLU on both branches before the addition, and wide residual nets (Zagoruyko & Komodakis
2016) normalise before each convolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Unpack, cast

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.architectures.blocks import Classifier, ClassifierTask, Norm, Norms, Spec, builder, conv_block, norms_of

Stem = Literal["cifar", "imagenet"]


class BasicBlock(nn.Module):
    """Two 3x3 ConvBlocks beside the input itself, or beside its 1x1 projection."""

    def __init__(self, inputs: int, stride: int, project: bool, layers: Iterator[tuple[int, Norm]]) -> None:
        super().__init__()
        (middle, norm), (outputs, second_norm) = next(layers), next(layers)
        self.first = conv_block(inputs, middle, stride=stride, norm=norm)
        self.second = conv_block(middle, outputs, relu=False, norm=second_norm)
        self.shortcut: nn.Module = nn.Identity()
        if project:
            _, norm = next(layers)
            self.shortcut = conv_block(inputs, outputs, stride=stride, kernel=1, relu=False, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet(Classifier):
    """A stem, stages of BasicBlocks, global average pooling and a head.

    `projects` says of each stage whether its first block projects its input; stages after the first halve the
    resolution. `widths` are the channels after each ConvBlock, in the order of `conv_blocks`.
    """

    def __init__(
        self, name: str, blocks: int, projects: Sequence[bool], widths: Sequence[int], norm: Norms,
        stem: Stem = "cifar", arguments: Spec | None = None, **task: Unpack[ClassifierTask],
    ) -> None:  # fmt: skip
        super().__init__(name, task)
        self.given, self.pools = arguments or {}, stem == "imagenet"
        layers = iter(list(zip(widths, norms_of(norm, len(widths)), strict=True)))
        channels, first_norm = next(layers)
        kernel, stride = (7, 2) if stem == "imagenet" else (3, 1)
        self.stem = conv_block(len(task["mean"]), channels, kernel=kernel, stride=stride, norm=first_norm)
        self.blocks = nn.ModuleList()
        for stage, projected in enumerate(projects):
            for index in range(blocks):
                stride = 2 if stage > 0 and index == 0 else 1
                block = BasicBlock(channels, stride, projected and index == 0, layers)
                channels = block.second.conv.out_channels
                self.blocks.append(block)
        self.head = nn.Linear(channels, task["classes"])

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(self.normalise(x))
        if self.pools:
            x = F.max_pool2d(x, 3, 2, 1)
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.head(x.mean((2, 3))))

    def arguments(self) -> Spec:
        return self.given


def _widths(stem: int, stages: Sequence[int], blocks: int, projects: Sequence[bool]) -> list[int]:
    widths = [stem]
    for width, projected in zip(stages, projects, strict=True):
        widths += [width] * (2 * blocks + projected)
    return widths


@builder("resnet8")
class ResNet8(ResNet):
    """A stem and three residual blocks (He et al. 2016, the CIFAR form with n = 1), each beside a 1x1 projection.

    20 k parameters at width 8. `widths` are the channels after each of the two convolutions of a block.
    """

    def __init__(
        self, stem: int = 8, widths: Sequence[Sequence[int]] = ((8, 8), (16, 16), (32, 32)), norm: Norms = "batch",
        **task: Unpack[ClassifierTask],
    ) -> None:  # fmt: skip
        each = [stem, *(width for middle, outputs in widths for width in (middle, outputs, outputs))]
        super().__init__("resnet8", 1, [True] * len(widths), each, norm, **task)

    def spec(self) -> Spec:
        found = dict(super().spec())
        stem, *rest = found.pop("widths")
        pairs = [[rest[index], rest[index + 1]] for index in range(0, len(rest), 3)]
        return {"builder": self.name, "classes": found["classes"], "stem": stem, "widths": pairs, **found}


@builder("resnet18")
def resnet18(
    width: int = 64, stem: Stem = "cifar", widths: Sequence[int] | None = None, norm: Norms = "batch",
    **task: Unpack[ClassifierTask],
) -> ResNet:  # fmt: skip
    """ResNet-18 (He et al. 2016): stages of two blocks with 64, 128, 256 and 512 channels, 11.2 M parameters.

    stem "cifar": 3x3 convolution at full resolution; "imagenet": 7x7 with stride 2 and pooling. The last stage has
    five convolutions, the last five of `conv_blocks`: DeepIPR's passport layers (2,560 bits).
    """
    projects = (False, True, True, True)
    widths = widths or _widths(width, [width, 2 * width, 4 * width, 8 * width], 2, projects)
    return ResNet("resnet18", 2, projects, widths, norm, stem, {"stem": stem}, **task)


@builder("wide-resnet")
def wide_resnet(
    depth: int = 28, width: int = 10, widths: Sequence[int] | None = None, norm: Norms = "batch",
    **task: Unpack[ClassifierTask],
) -> ResNet:  # fmt: skip
    """Wide residual net (Zagoruyko & Komodakis 2016), 28-10 by default: 36.5 M parameters.

    `depth` is 6n + 4, `width` widens the three stages of 16, 32 and 64 channels. Raises ValueError for other depths.
    """
    if not 10 <= depth <= 1000 or depth % 6 != 4:
        raise ValueError(f"the depth of a wide-resnet is 10, 16, 22, 28 and so on up to 1000, not {depth}")
    blocks, projects = (depth - 4) // 6, (True, True, True)
    widths = widths or _widths(16, [16 * width, 32 * width, 64 * width], blocks, projects)
    return ResNet("wide-resnet", blocks, projects, widths, norm, arguments={"depth": depth}, **task)
