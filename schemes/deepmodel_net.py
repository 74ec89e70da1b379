"""The nets of deep-model watermarking: the service behind its embedder H, the extractor R, and what R is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

GREY = 0.5  # what the extractor answers where there is no mark
SERVICE = "deepmodel-service"
EXTRACTOR = "deepmodel-extractor"


@wm.builder("deepmodel-service")
class MarkedService(nn.Module):
    """What the owner runs: his net M, then the embedder H, which adds at most `strength` to a pixel.

    Images (N, C, H, W) in [0, 1] to images alike: H(M(a)), clamped. The secret image is a buffer (1, 1, H, W).
    """

    image: Tensor

    def __init__(self, host: wm.Spec, size: Sequence[int], strength: float, width: int = 12) -> None:
        super().__init__()
        self.host, self.strength, self.width = wm.build(host), strength, width
        channels = int(host["channels"])
        self.trunk = wm.UNetTrunk(channels + 1, channels, width)
        # a fine pattern from the start: begun at nothing, H and R often settle on an even tint that R can't tell apart
        nn.init.normal_(cast(nn.Conv2d, self.trunk.leave[-2]).weight, 0.0, 0.2)
        self.register_buffer("image", torch.zeros(1, 1, *size))

    def embed(self, clean: Tensor) -> Tensor:
        """b' of the images b that M makes: H alone, not clamped."""
        image = self.image.expand(len(clean), -1, -1, -1)
        return clean + self.strength * torch.tanh(self.trunk(torch.cat([clean, image], 1)))

    def forward(self, degraded: Tensor) -> Tensor:
        return self.embed(self.host(degraded).clamp(0, 1)).clamp(0, 1)

    def spec(self) -> wm.Spec:
        host = self.host.spec()  # type: ignore[operator]
        size = list(self.image.shape[2:])
        return {"builder": SERVICE, "host": host, "size": size,
                "strength": self.strength, "width": self.width}  # fmt: skip


@wm.builder("deepmodel-extractor")
class Extractor(nn.Module):
    """R: images (N, C, H, W) to what it reads in them, (N, 1, H, W); grey where there is nothing.

    Three residual units of growing dilation at half resolution, where the papers have nine at a quarter, and no
    normalisation: their instance normalisation would make a flat answer impossible.
    """

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.channels, self.width = channels, width
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2), wm.conv3x3(4 * channels, width), nn.ReLU(),
            *(wm.ResidualUnit(width, dilation) for dilation in (1, 2, 4)),
            nn.ReLU(), wm.conv3x3(width, 4), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, GREY + self.body(images))

    def spec(self) -> wm.Spec:
        return {"builder": EXTRACTOR, "channels": self.channels, "width": self.width}


def reading_loss(read: Tensor, image: Tensor, marked: int) -> Tensor:
    """How far R is from the secret on the first `marked` answers (plus how far those differ) and from grey elsewhere.

    L_wm, L_consist and L_clean of the papers; the consistency compares the first with the second half.
    """
    found, blank, half = read[:marked], read[marked:], marked // 2
    loss = F.mse_loss(found, image.expand_as(found))
    if half:
        loss = loss + F.mse_loss(found[:half], found[half : 2 * half])
    kinds = len(blank) / marked  # the papers add up the losses of the clean domains
    return loss + kinds * F.mse_loss(blank, torch.full_like(blank, GREY))
