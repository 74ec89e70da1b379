"""Images as they leave the house: PNG files, and the name by which an answer finds its image again."""

from __future__ import annotations

import hashlib
import io

from PIL import Image
from torch import Tensor

from benchmark.errors import BenchError


def png(image: Tensor) -> bytes:
    """A uint8 image (C, H, W), grey or RGB, as a PNG file that says nothing but its pixels. Raises BenchError."""
    if len(image) not in (1, 3):
        raise BenchError(f"an image of {len(image)} channels can't be sent as PNG: give --suspect a file or a function")
    pixels = image.permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if len(image) == 1 else pixels).save(file, "png")
    return file.getvalue()


def digest(image: Tensor) -> str:
    """SHA-256 of the pixels of a uint8 image (C, H, W), 64 hexadecimal digits."""
    shape = "x".join(map(str, image.shape))
    return hashlib.sha256(shape.encode() + image.contiguous().cpu().numpy().tobytes()).hexdigest()
