"""Nets without skip connections: LeNet, KeyNet's CNN, AlexNet and VGG-16, each in the form that the papers train.

All take images (N, C, H, W) in [0, 1] and give logits (N, classes). Docstrings name the papers' image sizes; other
images are pooled to the same grid before the linear layers. `width` is the number of channels of the first
convolution, the others keep their proportion; `widths` names each one (a pruned net is described so).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.nets import ConvBlock, Normalise, Norms, Spec, builder, conv_blocks, described_norms, norms_of

POOL = 0  # stands for 2x2 max-pooling in a layout


class Stack(nn.Module):
    """ConvBlocks one after another, `grid` x `grid` pooled features, and one linear layer or two.

    `layout` gives the kernel size of each block and POOL between them; `hidden` is the width of the first linear
    layer, 0 where there is one only.
    """

    def __init__(
        self,
        name: str,
        layout: Sequence[int],
        grid: int,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
        widths: Sequence[int],
        norm: Norms,
        hidden: int = 0,
    ) -> None:
        super().__init__()
        self.name, self.layout, self.grid = name, layout, grid
        self.normalise = Normalise(mean, std)
        kernels = [kernel for kernel in layout if kernel != POOL]
        inputs = [len(mean), *widths[:-1]]
        self.blocks = nn.ModuleList(
            ConvBlock(i, o, kernel=kernel, norm=n)
            for i, o, kernel, n in zip(inputs, widths, kernels, norms_of(norm, len(widths)), strict=True)
        )
        features = widths[-1] * grid**2
        self.hidden = nn.Linear(features, hidden) if hidden else None
        self.head = nn.Linear(hidden or features, classes)

    def forward(self, x: Tensor) -> Tensor:
        x, blocks = self.normalise(x), iter(self.blocks)
        for kernel in self.layout:
            # rounded up, so that 28x28 images pass five poolings, too
            x = F.max_pool2d(x, 2, ceil_mode=True) if kernel == POOL else next(blocks)(x)
        x = F.adaptive_avg_pool2d(x, self.grid).flatten(1)
        if self.hidden is not None:
            x = F.relu(self.hidden(x))
        return cast(Tensor, self.head(x))

    def spec(self) -> Spec:
        hidden = {} if self.hidden is None else {"hidden": self.hidden.out_features}
        return {
            "builder": self.name,
            "classes": self.head.out_features,
            "widths": [block.conv.out_channels for _, block in conv_blocks(self)],
            "norm": described_norms(self),
            **hidden,
            **self.normalise.spec(),
        }


@builder("keynet-cnn")
def keynet_cnn(
    classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    width: int = 32,
    hidden: int = 4096,
    widths: Sequence[int] | None = None,
    norm: Norms = "batch",
) -> Stack:
    """KeyNet's CNN for FMNIST5 (Jebreel et al. 2021): 5x5x32, pool, 3x3x64, pool, linear 4096, head; 28x28."""
    return Stack("keynet-cnn", (5, POOL, 3, POOL), 7, classes, mean, std, widths or (width, 2 * width), norm, hidden)


@builder("alexnet")
def alexnet(
    classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    width: int = 64,
    widths: Sequence[int] | None = None,
    norm: Norms = "batch",
) -> Stack:
    """DeepIPR's AlexNet for CIFAR (Fan et al. 2019): 5x5x64, 5x5x192, 3x3x384, 3x3x256, 3x3x256, one head; 32x32.

    Pooling after the first, second and fifth. Passports sit on the last three: 896 bits.
    """
    widths = widths or [width * times for times in (1, 3, 6, 4, 4)]
    return Stack("alexnet", (5, POOL, 5, POOL, 3, 3, 3, POOL), 4, classes, mean, std, widths, norm)


@builder("vgg16")
def vgg16(
    classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    width: int = 64,
    widths: Sequence[int] | None = None,
    norm: Norms = "batch",
) -> Stack:
    """VGG-16 with normalisation in its CIFAR form (Simonyan & Zisserman 2015): 13 convolutions, one head; 32x32."""
    layout = (3, 3, POOL, 3, 3, POOL, 3, 3, 3, POOL, 3, 3, 3, POOL, 3, 3, 3, POOL)
    widths = widths or [width * times for times in (1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8)]
    return Stack("vgg16", layout, 1, classes, mean, std, widths, norm)


@builder("lenet")
class LeNet(nn.Module):
    """KeyNet's LeNet for FMNIST5 (Jebreel et al. 2021): conv 5x5x16, pool, conv 5x5x32, pool, head; 28x28.

    As in the paper it has no normalisation: it has no ConvBlock, so no scale to flip and no place for a passport.
    """

    def __init__(
        self,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
        width: int = 16,
        widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        widths = widths or (width, 2 * width)
        self.normalise = Normalise(mean, std)
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 5, padding=2) for i, o in zip([len(mean), widths[0]], widths, strict=True)
        )
        self.head = nn.Linear(widths[1] * 7 * 7, classes)

    def _convs(self) -> Iterator[nn.Conv2d]:
        return (cast(nn.Conv2d, conv) for conv in self.convs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalise(x)
        for conv in self._convs():
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return cast(Tensor, self.head(F.adaptive_avg_pool2d(x, 7).flatten(1)))

    def spec(self) -> Spec:
        widths = [conv.out_channels for conv in self._convs()]
        return {
            "builder": "lenet",
            "classes": self.head.out_features,
            "widths": widths,
            **self.normalise.spec(),
        }
