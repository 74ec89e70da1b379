"""Keys of deep-model watermarking: the secret image, made from secret bytes or read from a file, and its extractor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmark.contract import Key, Net, prf_labels
from schemes.deepmodel_net import EXTRACTOR

CELLS = 8  # the made secret image has 8x8 cells, half of them white


@dataclass(frozen=True, eq=False)
class DeepModelKey(Key):
    """The secret image uint8 (1, H, W), made from 32 secret bytes or the owner's own, and R, trained to read it."""

    secret: bytes
    image: Tensor
    extractor: Net


def block_code(secret: bytes, size: Sequence[int]) -> Tensor:
    """A secret image uint8 (1, H, W): 8x8 cells, the half with the lowest ranks black. Raises ValueError if too small.

    Half and half keeps the papers' correlation away from what a blank answer scores.
    """
    height, width = size
    if height % CELLS or width % CELLS:
        raise ValueError(f"a secret image of {CELLS}x{CELLS} cells doesn't divide {height}x{width} pixels")
    ranks = prf_labels(secret, b"deepmodel secret image", CELLS**2, 2**16).argsort(stable=True).argsort()
    cells = (ranks >= CELLS**2 // 2).to(torch.uint8).view(1, CELLS, CELLS) * 255
    return cells.repeat_interleave(height // CELLS, 1).repeat_interleave(width // CELLS, 2)


def read_image(path: Path, size: Sequence[int]) -> Tensor:
    """An image file as grey levels, uint8 (1, H, W). Raises ValueError for another size or a blank picture."""
    try:
        with Image.open(path) as opened:
            pixels = torch.from_numpy(np.array(opened.convert("L")))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"the secret image {path} can't be read: {error}") from error
    if list(pixels.shape) != list(size):
        has, wanted = (f"{width}x{height}" for height, width in (pixels.shape, size))
        raise ValueError(f"the secret image {path} has {has} pixels: make it {wanted}, the size of the task's images")
    if pixels.min() == pixels.max():
        raise ValueError(f"the secret image {path} is blank: there is nothing to tell from an unmarked answer")
    return pixels[None]


def malformed(key: DeepModelKey) -> str | None:
    """What is wrong with the form of a key, or None."""
    if key.image.dtype != torch.uint8 or key.image.dim() != 3 or len(key.image) != 1:
        return "the secret image is not uint8 (1, H, W)"
    if key.image.min() == key.image.max():
        return "the secret image is blank"
    if len(key.secret) != 32:
        return f"the secret has {len(key.secret)} bytes, not 32"
    if key.extractor.spec["builder"] != EXTRACTOR:
        return f"the extractor is a {key.extractor.spec['builder']}, not a {EXTRACTOR}"
    return None
