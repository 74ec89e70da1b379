"""The nets of deepmodel-bits: the service behind its embedder H, which adds bits to an image, and R, which reads them.

H and R have one form. A layer looks at an image, 2x2 pixels at a time with what is around them, and every bit has a
weight for each of its features. H adds up the bits' weighted features; R holds what was added against its own. Features
are linear, so what H adds is a filter of the image and a fine pattern, the same for every question: other small nets
learn such a thing easily when they learn from the service's images.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

BIT_SERVICE = "deepmodel-bits-service"
BIT_READER = "deepmodel-bits-reader"
WIDTH = 24  # features of an image
SENSITIVITY = 40.0  # of R, which begins as a copy of H: what H adds is some hundredths of a pixel's range


class Carriers(nn.Module):
    """For each of n bits, the weights (4 C, features + 1) of a 1x1 convolution over what one layer sees of an image."""

    def __init__(self, channels: int, bits: int) -> None:
        super().__init__()
        self.look = wm.conv3x3(4 * channels, WIDTH)
        self.weights = nn.Parameter(torch.empty(bits, 4 * channels, WIDTH + 1))
        # edges of an image, not its brightness, and no two bits' patterns alike
        filters = self.look.weight.data
        filters.copy_(8 * (filters - filters.mean((1, 2, 3), keepdim=True)))
        nn.init.zeros_(cast(Tensor, self.look.bias))
        nn.init.orthogonal_(self.weights.data.view(bits, -1), 0.3 * self.weights[0].numel() ** 0.5)

    def features(self, images: Tensor) -> Tensor:
        """(N, features + 1, H / 2, W / 2): the last is 1, for a pattern that doesn't depend on the image."""
        seen = self.look(F.pixel_unshuffle(images, 2))
        return torch.cat([seen, torch.ones_like(seen[:, :1])], 1)

    def spread(self, images: Tensor, bits: Tensor) -> Tensor:
        """What `bits` of +1 and -1, (G, n), give in `images` (G k, C, H, W), of which k in a row share a string."""
        mixed = torch.einsum("gn,ncf->gcf", bits, self.weights) / bits.shape[1] ** 0.5
        seen = self.features(images)
        seen = seen.view(len(bits), -1, *seen.shape[1:])
        return F.pixel_shuffle(torch.einsum("gcf,gkfhw->gkchw", mixed, seen).flatten(0, 1), 2)

    def gather(self, differences: Tensor, images: Tensor) -> Tensor:
        """How far `differences` from `images`, (N, C, H, W) both, agree with each bit's pattern: logits (N, n)."""
        seen = self.features(images)
        agreed = torch.einsum("nchw,nfhw->ncf", F.pixel_unshuffle(differences, 2), seen)
        return SENSITIVITY * torch.einsum("ncf,bcf->nb", agreed / seen[0, 0].numel(), self.weights)


@wm.builder("deepmodel-bits-service")
class BitService(nn.Module):
    """What the owner runs: his net M, then the embedder H, which adds at most `strength` to a pixel.

    Images (N, C, H, W) in [0, 1] to images alike: H(M(a)), clamped. `payload`: the bits as +1 and -1, a buffer (1, n).
    """

    payload: Tensor

    def __init__(self, host: wm.Spec, bits: int, strength: float) -> None:
        super().__init__()
        self.host, self.strength = wm.build(host), strength
        self.carriers = Carriers(int(host["channels"]), bits)
        self.register_buffer("payload", torch.ones(1, bits))

    def added(self, clean: Tensor, payload: Tensor) -> Tensor:
        """What H adds to the images that M makes, (G k, C, H, W), for the strings `payload` (G, n)."""
        return self.strength * torch.tanh(self.carriers.spread(clean, payload))

    def forward(self, degraded: Tensor) -> Tensor:
        clean = self.host(degraded).clamp(0, 1)
        return (clean + self.added(clean, self.payload)).clamp(0, 1)

    def spec(self) -> wm.Spec:
        host = self.host.spec()  # type: ignore[operator]
        return {"builder": BIT_SERVICE, "host": host, "bits": self.payload.shape[1], "strength": self.strength}


@wm.builder("deepmodel-bits-reader")
class BitReader(nn.Module):
    """R: a question and its answer, (N, 2 C, H, W), to logits (N, n) of the bits that the answer carries.

    It knows M, and reads in what the answer differs from M's, so what the image shows doesn't drown the mark.
    """

    def __init__(self, host: wm.Spec, bits: int) -> None:
        super().__init__()
        self.host = wm.build(host)
        self.carriers = Carriers(int(host["channels"]), bits)

    def forward(self, pairs: Tensor) -> Tensor:
        degraded, answers = pairs.chunk(2, 1)
        clean = self.host(degraded).clamp(0, 1)
        return self.carriers.gather(answers - clean, clean)

    def spec(self) -> wm.Spec:
        host = cast(wm.Spec, self.host.spec())  # type: ignore[operator]
        return {"builder": BIT_READER, "host": host, "bits": len(self.carriers.weights)}


@torch.no_grad()
def reads_images(reader: wm.Net) -> bool:
    """Whether an R from anybody can be built, around a net M that makes an image of the same shape from an image."""
    try:
        net = cast(BitReader, reader.module())
        images = torch.zeros(1, net.carriers.look.in_channels // 4, 16, 16)
        return bool(net.host(images).shape == images.shape)
    except Exception:  # its spec may name anything
        return False
