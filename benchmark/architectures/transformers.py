"""A vision transformer: images as a sequence of patches, no hidden convolution and no batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.architectures.blocks import Classifier, ClassifierTask, Spec, builder

RATIO = 4  # hidden units of a block's perceptron for each channel (Dosovitskiy et al. 2021, table 1)


class Attention(nn.Module):
    """Multi-head self-attention over tokens (N, T, width). Written out, so that it can be derived twice."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(2, 3) / math.sqrt(query.shape[3])).softmax(3)
        return cast(Tensor, self.proj((weights @ value).transpose(1, 2).flatten(2)))


class EncoderBlock(nn.Module):
    """Attention, then a perceptron with one hidden layer; each is normalised before it, and added to what came in."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + cast(Tensor, self.fc2(F.gelu(self.fc1(self.norm2(x)))))


class VisionTransformer(Classifier):
    """Patches are embedded, get the code of their place, and pass the blocks; their mean goes to the head.

    Places are coded by fixed waves and tokens are averaged, as in Beyer et al. 2022: so images of any size that patches
    tile will do, and no token stands for the class.
    """

    def __init__(
        self, patch: int, width: int, heads: int, hidden: Sequence[int], **task: Unpack[ClassifierTask]
    ) -> None:
        super().__init__("vit", task)
        if width % 4 or width % heads:
            raise ValueError(f"the width of a vit is a multiple of 4 and of its heads, not {width} for {heads} heads")
        self.embed = nn.Conv2d(len(task["mean"]), width, patch, patch)
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, units) for units in hidden)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, task["classes"])
        for layer in self.blocks.modules():
            if isinstance(layer, nn.Linear):  # as the paper's code draws them; torch's own draws train worse
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.embed(self.normalise(x))
        x = (maps + places(maps)).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.head(self.norm(x).mean(1)))

    def arguments(self) -> Spec:
        blocks = [cast(EncoderBlock, block) for block in self.blocks]
        return {
            "patch": self.embed.kernel_size[0],
            "heads": blocks[0].attn.heads,
            "hidden": [block.fc1.out_features for block in blocks],
        }


def places(maps: Tensor) -> Tensor:
    """The code of each place of maps (N, C, H, W), (C, H, W): sines and cosines of its row and its column."""
    _, channels, height, width = maps.shape
    waves = 10_000 ** -torch.linspace(0, 1, channels // 4, device=maps.device)[:, None]
    rows, columns = (waves * torch.arange(size, device=maps.device) for size in (height, width))
    down = torch.cat([rows.sin(), rows.cos()])[:, :, None].expand(-1, -1, width)
    across = torch.cat([columns.sin(), columns.cos()])[:, None].expand(-1, height, -1)
    return torch.cat([down, across])


@builder("vit")
def vit(
    patch: int = 4, width: int = 64, depth: int = 4, heads: int = 4, widths: Sequence[int] | None = None,
    hidden: Sequence[int] | None = None, **task: Unpack[ClassifierTask],
) -> VisionTransformer:  # fmt: skip
    """A small vision transformer (Dosovitskiy et al. 2021, ICLR), normalised before attention and perceptron.

    `widths` has the one channel count of all tokens, `hidden` the units of each block's perceptron: a pruned net is
    described so.
    """
    (width,) = widths or (width,)
    return VisionTransformer(patch, width, heads, hidden or [RATIO * width] * depth, **task)
