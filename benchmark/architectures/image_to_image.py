"""Image-to-image architectures, and a discriminator of their images.

Each net adds a correction to its input, so that it starts as the identity. All work at half resolution: the input's
2x2 pixels become channels and the last layer's channels become pixels again, which costs a quarter of the same layers
at full resolution. Images float (N, C, H, W) in [0, 1], H and W multiples of 4; outputs alike, not clamped. No
normalisation: a constant pattern must pass.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.architectures.blocks import Spec, builder


def conv3x3(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A 3x3 convolution with bias that keeps the size at stride 1."""
    return nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation)


class UNetTrunk(nn.Module):
    """A two-level UNet: (N, `inputs`, H, W) to (N, `outputs`, H, W), zero at the start. 18 k parameters at width 12."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(conv3x3(4 * inputs, width), nn.ReLU(), conv3x3(width, width), nn.ReLU())
        self.down = nn.Sequential(
            conv3x3(width, 2 * width, stride=2), nn.ReLU(), conv3x3(2 * width, 2 * width), nn.ReLU(),
            conv3x3(2 * width, 4 * width), nn.PixelShuffle(2), nn.ReLU(),
        )  # fmt: skip
        self.leave = nn.Sequential(conv3x3(2 * width, width), nn.ReLU(), _silent(width, outputs), nn.PixelShuffle(2))

    def features(self, x: Tensor) -> Tensor:
        """What the last layers see, fine beside coarse: (N, 2 * width, H / 2, W / 2)."""
        fine = self.enter(F.pixel_unshuffle(x, 2))
        return torch.cat([fine, self.down(fine)], 1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.leave(self.features(x)))


def _silent(width: int, outputs: int) -> nn.Conv2d:
    """The last layer: to 2x2 pixels of `outputs` channels, all zero until it is trained."""
    last = conv3x3(width, 4 * outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return last


@builder("unet")
class UNet(nn.Module):
    """The input plus what a two-level UNet makes of it."""

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.channels, self.width = channels, width
        self.trunk = UNetTrunk(channels, channels, width)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.trunk(x))

    def spec(self) -> Spec:
        return {"builder": "unet", "channels": self.channels, "width": self.width}


@builder("plain")
class PlainNet(nn.Module):
    """The input plus what a chain of convolutions makes of it: no skip connection inside (the paper's CNet)."""

    def __init__(self, channels: int, width: int = 24, layers: int = 6) -> None:
        super().__init__()
        self.channels, self.width, self.layers = channels, width, layers
        middle = [part for _ in range(layers - 2) for part in (conv3x3(width, width), nn.ReLU())]
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2), conv3x3(4 * channels, width), nn.ReLU(), *middle, _silent(width, channels),
            nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.body(x))

    def spec(self) -> Spec:
        return {"builder": "plain", "channels": self.channels, "width": self.width, "layers": self.layers}


class ResidualUnit(nn.Module):
    """Its input plus two convolutions of it."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv3x3(width, width, dilation=dilation)
        self.second = conv3x3(width, width, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.second(F.relu(self.first(x))))


@builder("residual")
class ResidualNet(nn.Module):
    """The input plus what a chain of residual units makes of it (the paper's Res9 and Res16, by `blocks`)."""

    def __init__(self, channels: int, width: int = 12, blocks: int = 9) -> None:
        super().__init__()
        self.channels, self.width = channels, width
        self.enter = nn.Sequential(nn.PixelUnshuffle(2), conv3x3(4 * channels, width))
        self.units = nn.ModuleList(ResidualUnit(width) for _ in range(blocks))
        self.leave = nn.Sequential(_silent(width, channels), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.enter(x)
        for unit in self.units:
            y = unit(y)
        return cast(Tensor, x + self.leave(F.relu(y)))

    def spec(self) -> Spec:
        return {"builder": "residual", "channels": self.channels, "width": self.width, "blocks": len(self.units)}


@builder("patchgan")
def patchgan(channels: int, width: int = 16) -> nn.Module:
    """A discriminator: one score for each of 4x4 overlapping patches of a 32x32 image (Isola et al. 2017)."""
    return nn.Sequential(
        conv3x3(channels, width, stride=2), nn.LeakyReLU(0.2),
        conv3x3(width, 2 * width, stride=2), nn.InstanceNorm2d(2 * width), nn.LeakyReLU(0.2),
        conv3x3(2 * width, 1, stride=2),
    )  # fmt: skip


class Critic:
    """A discriminator that learns beside the net whose images it judges: least-squares GAN (Mao et al. 2017).

    Its optimiser steps within the other's step; on a GPU it keeps its own count of steps there, so that both are
    captured together.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        on_gpu = next(net.parameters()).is_cuda
        self.optimiser = torch.optim.Adam(  # pix2pix's
            net.parameters(), 2e-4, (0.5, 0.999), fused=on_gpu, capturable=on_gpu
        )

    def loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """The generator's loss on images `fake`, after one step of the discriminator on `real` and `fake` ones."""
        self.optimiser.zero_grad()
        (0.5 * (self.net(real) - 1).square().mean() + 0.5 * self.net(fake.detach()).square().mean()).backward()
        self.optimiser.step()
        return cast(Tensor, (self.net(fake) - 1).square().mean())
