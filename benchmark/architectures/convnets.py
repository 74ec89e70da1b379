"""Nets without skip connections: LeNet, AlexNet, VGG-16, KeyNet's and RoSe's own, each as the papers train it.

Docstrings name the papers' image sizes; other images are pooled to the same grid before the linear layers. `width` is
the number of channels of the first convolution, the others keep their proportion; `widths` names each one (a pruned net
is described so).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Unpack, cast

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.architectures.blocks import Classifier, ClassifierTask, Norms, Spec, builder, conv_block, norms_of

POOL = 0  # stands for 2x2 max-pooling in a layout


class Stack(Classifier):
    """ConvBlocks one after another, `grid` x `grid` pooled features, and one linear layer or two.

    `layout`: the kernel size of each block, and POOL between them. `hidden`: the width of a linear layer before the
    head, 0 for none. `round_up`: of pooled sizes, so that 28x28 images pass five poolings, too.
    """

    def __init__(
        self, name: str, layout: Sequence[int], grid: int, widths: Sequence[int], norm: Norms, hidden: int = 0, *,
        round_up: bool = True, **task: Unpack[ClassifierTask],
    ) -> None:  # fmt: skip
        super().__init__(name, task)
        self.layout, self.grid, self.round_up = layout, grid, round_up
        kernels = [kernel for kernel in layout if kernel != POOL]
        inputs = [len(task["mean"]), *widths[:-1]]
        self.blocks = nn.ModuleList(
            conv_block(i, o, kernel=kernel, norm=n)
            for i, o, kernel, n in zip(inputs, widths, kernels, norms_of(norm, len(widths)), strict=True)
        )
        features = widths[-1] * grid**2
        self.hidden = nn.Linear(features, hidden) if hidden else None
        self.head = nn.Linear(hidden or features, task["classes"])

    def forward(self, x: Tensor) -> Tensor:
        x, blocks = self.normalise(x), iter(self.blocks)
        for kernel in self.layout:
            x = F.max_pool2d(x, 2, ceil_mode=self.round_up) if kernel == POOL else next(blocks)(x)
        x = F.adaptive_avg_pool2d(x, self.grid).flatten(1)
        if self.hidden is not None:
            x = F.relu(self.hidden(x))
        return cast(Tensor, self.head(x))

    def arguments(self) -> Spec:
        return {} if self.hidden is None else {"hidden": self.hidden.out_features}


@builder("convnet")
def convnet(widths: Sequence[int] = (16, 32, 64), norm: Norms = "batch", **task: Unpack[ClassifierTask]) -> Stack:
    """The quick profile's net, for 16x16: three 3x3 convolutions, the first two pooled, one head; 24 k parameters."""
    layout = (3, POOL, 3, POOL, *[3] * (len(widths) - 2))
    return Stack("convnet", layout, 2, widths, norm, round_up=False, **task)


@builder("keynet-cnn")
def keynet_cnn(
    width: int = 32, hidden: int = 4096, widths: Sequence[int] | None = None, norm: Norms = "batch",
    **task: Unpack[ClassifierTask],
) -> Stack:  # fmt: skip
    """KeyNet's CNN for FMNIST5 (Jebreel et al. 2021): 5x5x32, pool, 3x3x64, pool, linear 4096, head; 28x28."""
    return Stack("keynet-cnn", (5, POOL, 3, POOL), 7, widths or (width, 2 * width), norm, hidden, **task)


@builder("alexnet")
def alexnet(
    width: int = 64, widths: Sequence[int] | None = None, norm: Norms = "batch", **task: Unpack[ClassifierTask]
) -> Stack:
    """DeepIPR's AlexNet for CIFAR (Fan et al. 2019): 5x5x64, 5x5x192, 3x3x384, 3x3x256, 3x3x256, one head; 32x32.

    Pooling after the first, second and fifth. Passports sit on the last three: 896 bits.
    """
    widths = widths or [width * times for times in (1, 3, 6, 4, 4)]
    return Stack("alexnet", (5, POOL, 5, POOL, 3, 3, 3, POOL), 4, widths, norm, **task)


@builder("vgg16")
def vgg16(
    width: int = 64, widths: Sequence[int] | None = None, norm: Norms = "batch", **task: Unpack[ClassifierTask]
) -> Stack:
    """VGG-16 with normalisation in its CIFAR form (Simonyan & Zisserman 2015): 13 convolutions, one head; 32x32."""
    layout = (3, 3, POOL, 3, 3, POOL, 3, 3, 3, POOL, 3, 3, 3, POOL, 3, 3, 3, POOL)
    widths = widths or [width * times for times in (1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8)]
    return Stack("vgg16", layout, 1, widths, norm, **task)


class Plain(Classifier):
    """Convolutions with bias and ReLU, poolings, and linear layers: no normalisation.

    As in the papers there is no ConvBlock, so no scale to flip and no place for a passport. `layout` and `grid` as in
    `Stack`; `hidden` are the widths of the linear layers before the head.
    """

    def __init__(
        self, name: str, layout: Sequence[int], grid: int, widths: Sequence[int], hidden: Sequence[int] = (),
        **task: Unpack[ClassifierTask],
    ) -> None:  # fmt: skip
        super().__init__(name, task)
        self.layout, self.grid = layout, grid
        kernels = [kernel for kernel in layout if kernel != POOL]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, kernel, padding=kernel // 2)
            for i, o, kernel in zip([len(task["mean"]), *widths[:-1]], widths, kernels, strict=True)
        )
        features = [widths[-1] * grid**2, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(features))
        self.head = nn.Linear(features[-1], task["classes"])

    def forward(self, x: Tensor) -> Tensor:
        x, convs = self.normalise(x), iter(self.convs)
        for kernel in self.layout:
            x = F.max_pool2d(x, 2, ceil_mode=True) if kernel == POOL else F.relu(next(convs)(x))
        x = F.adaptive_avg_pool2d(x, self.grid).flatten(1)
        for linear in self.hidden:
            x = F.relu(linear(x))
        return cast(Tensor, self.head(x))

    def arguments(self) -> Spec:
        widths = [cast(nn.Linear, linear).out_features for linear in self.hidden]
        return {"hidden": widths} if widths else {}


@builder("lenet")
def lenet(width: int = 16, widths: Sequence[int] | None = None, **task: Unpack[ClassifierTask]) -> Plain:
    """KeyNet's LeNet for FMNIST5 (Jebreel et al. 2021): conv 5x5x16, pool, conv 5x5x32, pool, head; 28x28."""
    return Plain("lenet", (5, POOL, 5, POOL), 7, widths or (width, 2 * width), **task)


@builder("rose-cnn")
def rose_cnn(
    width: int = 64, widths: Sequence[int] | None = None, hidden: Sequence[int] = (256,), **task: Unpack[ClassifierTask]
) -> Plain:
    """RoSe's net for MNIST (Kallas & Furon 2022): conv 5x5x64, pool, conv 5x5x128, pool, linear 256, head; 28x28.

    For Fashion-MNIST the authors add dropout of 0.2 around the first linear layer; it is not here.
    """
    return Plain("rose-cnn", (5, POOL, 5, POOL), 7, widths or (width, 2 * width), hidden, **task)


@builder("rose-vgg")
def rose_vgg(
    width: int = 32, widths: Sequence[int] | None = None, hidden: Sequence[int] = (128, 256),
    **task: Unpack[ClassifierTask],
) -> Plain:  # fmt: skip
    """RoSe's net for CIFAR-10: four pairs of 3x3 convolutions (32, 64, 128, 256), each pooled, linear 128, 256; 32x32.

    The authors' dropout of 0.2 behind each pair and behind the last linear layer is not here.
    """
    widths = widths or [width * times for times in (1, 1, 2, 2, 4, 4, 8, 8)]
    return Plain("rose-vgg", (3, 3, POOL) * 4, 2, widths, hidden, **task)
