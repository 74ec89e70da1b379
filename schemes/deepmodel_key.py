"""Keys of deep-model watermarking: the secret image, made from secret bytes or read from a file, and its extractor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark import contract as wm

CELLS = 8  # the made secret image has 8x8 cells, half of them white


@dataclass(frozen=True, kw_only=True, eq=False)
class DeepModelKey(wm.Key):
    """The secret image, made from the secret or the owner's own, and R, the extractor that was trained to read it."""

    image: Tensor = wm.field(
        dtype=torch.uint8,
        shape=(1, "H", "W"),
        unbound="the secret image is not the one that the secret, or the named file, gives",
    )
    extractor: wm.Net


def block_code(secret: bytes, size: Sequence[int]) -> Tensor:
    """A secret image uint8 (1, H, W): 8x8 cells, the half with the lowest ranks black. Raises ValueError if too small.

    Half and half keeps the papers' correlation away from what a blank answer scores.
    """
    height, width = size
    if height % CELLS or width % CELLS:
        raise ValueError(f"a secret image of {CELLS}x{CELLS} cells doesn't divide {height}x{width} pixels")
    ranks = wm.prf_labels(secret, b"deepmodel secret image", CELLS**2, 2**16).argsort(stable=True).argsort()
    cells = (ranks >= CELLS**2 // 2).to(torch.uint8).view(1, CELLS, CELLS) * 255
    return cells.repeat_interleave(height // CELLS, 1).repeat_interleave(width // CELLS, 2)


def read_image(path: Path, size: Sequence[int]) -> Tensor:
    """An image file as grey levels, uint8 (1, H, W). Raises ValueError for another size or a blank picture.

    Raises BenchError as `wm.picture` does.
    """
    pixels = torch.from_numpy(np.array(wm.picture(path, "L")))
    if list(pixels.shape) != list(size):
        has, wanted = (f"{width}x{height}" for height, width in (pixels.shape, size))
        raise ValueError(f"the secret image {path} has {has} pixels: make it {wanted}, the size of the task's images")
    if pixels.min() == pixels.max():
        raise ValueError(f"the secret image {path} is blank: nothing in it differs from an unmarked answer")
    return pixels[None]
