"""Images as they leave the house and come back: PNG files, and the name by which an answer finds its image again."""

from __future__ import annotations

import hashlib
import io
import warnings

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmark.errors import BenchError, message_of


def png(image: Tensor) -> bytes:
    """A uint8 image (C, H, W), grey or RGB, as a PNG file that says nothing but its pixels. Raises BenchError."""
    if len(image) not in (1, 3):
        raise BenchError(f"an image of {len(image)} channels can't be sent as PNG: give --suspect a file or a function")
    pixels = image.permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if len(image) == 1 else pixels).save(file, "png")
    return file.getvalue()


def pixels(file: bytes, shape: tuple[int, int, int]) -> Tensor:
    """The uint8 image (C, H, W) of `shape`, grey or RGB, in a PNG file from outside. Raises ValueError.

    Nothing is scaled or converted: that would change what is read from an answer.
    """
    channels, height, width = shape
    mode = {1: "L", 3: "RGB"}.get(channels)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(file), formats=["PNG"]) as opened:
            found, size = opened.mode, opened.size  # by its header alone: it may unpack to any size
            image = np.array(opened) if (found, size) == (mode, (width, height)) else None
    except Exception as error:  # decoders raise what they like
        reason = message_of(error, 80) if file.startswith(b"\x89PNG") else "it is none"
        raise ValueError(f"it can't be read as a PNG file ({reason})") from error
    if image is None:
        raise ValueError(f"it is {found} of {size[0]}x{size[1]} pixels, not {mode} of {width}x{height}")
    return torch.from_numpy(image).view(height, width, channels).permute(2, 0, 1).contiguous()


def digest(image: Tensor) -> str:
    """SHA-256 of the pixels of a uint8 image (C, H, W), 64 hexadecimal digits."""
    shape = "x".join(map(str, image.shape))
    return hashlib.sha256(shape.encode() + image.contiguous().cpu().numpy().tobytes()).hexdigest()
