"""Image files, and a folder of them as uint8 tensors of the task's shape."""

from __future__ import annotations

import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchmark.data.sources import IMAGE_SUFFIXES
from benchmark.errors import BenchError, message_of
from benchmark.files import regular

if TYPE_CHECKING:
    from PIL import Image


DIMMEST = 16  # of 256: a picture of 16 bits is brighter somewhere, unless its numbers fill 12 of them alone
# what PIL may decode: others hand a file to programs outside (EPS), or are no pictures of pixels
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
PIXELS = 89_478_485  # of one picture: PIL's own limit, beyond which it warns


def picture(file: Path, mode: str) -> Image.Image:
    """An image file as a person sees it, as "L" (grey) or "RGB": upright, on white where it is transparent.

    Of a picture that moves, the first one; 16 bits are scaled to 8. Raises BenchError for one that can't be read, is
    too large, or has numbers of which nobody knows what white is: 12 bits in 16 are such.
    """
    from PIL import Image  # only here and below: schemes are imported where no picture is read

    try:
        with (
            warnings.catch_warnings(action="ignore"),
            regular(file) as data,
            Image.open(data, formats=FORMATS) as opened,
        ):
            if opened.width * opened.height > PIXELS:
                raise ValueError(f"it has {opened.width}x{opened.height} pixels, and {PIXELS} are the most")
            if opened.mode in ("F", "I"):
                raise ValueError("its numbers have no known white: save it with 8 or 16 bits")
            seen: Image.Image = opened
            deep = opened.format in ("PNG", "TIFF") and ";16" in str(opened.tile)  # of colours, PIL keeps 8 bits each
            if opened.mode.startswith("I;16"):
                seen = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
            if deep and np.asarray(seen.convert("RGB")).max() < DIMMEST:
                raise ValueError("no pixel reaches 4096 of its 65535, as where 12 bits lie in 16: save it with 8 bits")
            if seen.has_transparency_data:
                whole = seen.convert("RGBA")
                seen = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
            return _upright(seen.convert(mode), opened)
    except Exception as error:  # decoders raise what they like: SyntaxError, struct.error, EOFError and others
        reason = getattr(error, "strerror", None) or message_of(error) or type(error).__name__
        raise BenchError(f"{file} can't be read as a picture: {reason}: mend it or remove it") from error


def _upright(seen: Image.Image, opened: Image.Image) -> Image.Image:
    """The picture as the camera says that it was held; as it is where nobody can read what the camera says."""
    from PIL import Image

    turn = Image.Transpose
    turns = dict(enumerate((
        turn.FLIP_LEFT_RIGHT, turn.ROTATE_180, turn.FLIP_TOP_BOTTOM, turn.TRANSPOSE, turn.ROTATE_270, turn.TRANSVERSE,
        turn.ROTATE_90,
    ), 2))  # fmt: skip
    with suppress(Exception):
        return seen.transpose(turns[opened.getexif()[0x0112]])
    return seen


def picture_files(folder: str | Path) -> list[Path]:
    """The pictures of `folder` in the order a person counts them: 2.png before 10.png. Its subfolders are left out.

    Raises BenchError when there is no such folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise BenchError(f"there is no folder {str(folder)!r}: give the path of one that holds pictures")
    there = (file for file in path.iterdir() if not file.name.startswith("."))
    return sorted((file for file in there if file.suffix.lower() in IMAGE_SUFFIXES), key=_natural)


def pictures(folder: str | Path, n: int, shape: tuple[int, int, int]) -> Tensor:
    """The first `n` pictures of `folder` (`picture_files`), uint8 (n, *shape).

    Each is scaled until it covers the shape, and what stands out is cut off equally on both sides. Grey for one
    channel, red, green and blue for three. Raises BenchError for too few pictures, one that can't be read, and two that
    are equal at this size.
    """
    from PIL import ImageOps

    channels, height, width = shape
    if channels not in (1, 3):
        raise BenchError(f"pictures have 1 or 3 channels, and the task asks for {channels}")
    files = picture_files(folder)
    if len(files) < n:
        raise BenchError(f"{str(folder)!r} holds {len(files)} pictures, and {n} are needed: add some, or ask for fewer")
    taken = []
    for file in files[:n]:
        fitted = ImageOps.fit(picture(file, "L" if channels == 1 else "RGB"), (width, height))
        taken.append(torch.from_numpy(np.array(fitted)).view(height, width, channels).permute(2, 0, 1))
    seen: dict[bytes, Path] = {}
    for file, image in zip(files, taken, strict=False):
        twin = seen.setdefault(image.numpy().tobytes(), file)
        if twin is not file:
            raise BenchError(f"{twin.name} and {file.name} in {str(folder)!r} look the same at this size: remove one")
    return torch.stack(taken)


def _natural(file: Path) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", file.name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
