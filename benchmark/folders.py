"""Image folders, one subfolder per class: read once, cut square, and kept as one file of arrays in the data root."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.datasets import DataSet
from benchmark.errors import BenchError
from benchmark.identity import canonical

if TYPE_CHECKING:
    import numpy as np

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")


@cache
def classes(folder: Path, left_out: str = "") -> tuple[str, ...]:
    """The names of the subfolders, sorted: class numbers follow their order."""
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != left_out))


@cache
def images(folder: Path, left_out: str = "") -> tuple[tuple[Path, int], ...]:
    """Every image with its class, in a fixed order. Raises BenchError when a class has none."""
    found = []
    for number, name in enumerate(classes(folder, left_out)):
        paths = sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in ENDINGS)
        if not paths:
            raise BenchError(f"{folder / name} holds no image ({', '.join(ENDINGS)}): every class needs some")
        found += [(path, number) for path in paths]
    return tuple(found)


def prepared(name: str, data_set: DataSet, size: int, root: Path) -> Path:
    """Where the arrays of these very images lie: names and sizes of the files decide it."""
    listing = [
        [str(path.relative_to(root)), path.stat().st_size]
        for folder in data_set.images
        for path, _ in images(root / folder, data_set.left_out)
    ]
    digest = hashlib.sha256(canonical(listing).encode()).hexdigest()[:12]
    return root / "prepared" / f"{name.replace(':', '-')}-{size}-{digest}.npz"


def prepare(name: str, data_set: DataSet, size: int, root: Path, say: Callable[[str], None]) -> None:
    """Read every image into the prepared file, uint8 (N, 3, size, size). Raises BenchError for one that can't be read.

    The shorter side is scaled to `size` (antialiased, bilinear) and the middle is kept.
    """
    import numpy as np  # only here and below: who merely names a task doesn't wait for it

    target = prepared(name, data_set, size, root)
    if target.is_file():
        return
    arrays: dict[str, Any] = {}
    for part, folder in zip(("train", "test"), data_set.images, strict=False):
        listed = images(root / folder, data_set.left_out)
        say(f"{root / folder}: reading {len(listed)} images once")
        arrays[f"{part}_x"] = np.stack(list(_squares(listed, size)))
        arrays[f"{part}_y"] = np.array([number for _, number in listed], np.int64)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
    unfinished.replace(target)


def _squares(listed: tuple[tuple[Path, int], ...], size: int) -> Iterator[np.ndarray]:
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    for path, _ in listed:
        try:
            with Image.open(path) as image:
                square = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BILINEAR)
        except (OSError, UnidentifiedImageError, ValueError) as error:
            raise BenchError(f"{path} can't be read as an image: {error}: mend it or remove it") from error
        yield np.asarray(square).transpose(2, 0, 1)
