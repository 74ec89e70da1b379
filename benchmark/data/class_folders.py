"""Image folders, one subfolder per class: read once, cut square, and kept as one file of arrays in the data root.

numpy and PIL are imported where images are read, so that whoever merely names a task doesn't wait for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.atomic import replaced
from benchmark.data.sources import IMAGE_SUFFIXES, DataSet
from benchmark.errors import BenchError
from benchmark.identity import canonical

if TYPE_CHECKING:
    import numpy as np

PARTS = ("train", "test")  # of a prepared file, in the order of `DataSet.images`


class DamagedImages(Exception):
    """A prepared file is not what was written; the message says how it shows."""


@cache
def classes(folder: Path, left_out: str = "") -> tuple[str, ...]:
    """The names of the subfolders, sorted: class numbers follow their order."""
    return tuple(sorted(path.name for path in _inside(folder) if path.is_dir() and path.name != left_out))


@cache
def images(folder: Path, left_out: str = "") -> tuple[tuple[Path, int], ...]:
    """Every image with its class, in a fixed order. Raises BenchError when a class has none."""
    found = []
    for number, name in enumerate(classes(folder, left_out)):
        paths = sorted(path for path in _inside(folder / name) if path.suffix.lower() in IMAGE_SUFFIXES)
        if not paths:
            raise BenchError(f"{folder / name} holds no image ({', '.join(IMAGE_SUFFIXES)}): every class needs some")
        found += [(path, number) for path in paths]
    return tuple(found)


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise BenchError(f"{folder} can't be read ({error.strerror}): mend it or remove it") from error


def prepared(name: str, data_set: DataSet, size: int, root: Path) -> Path:
    """Where the arrays of these images lie, by names and sizes of the files. Raises BenchError for a broken link."""
    listing = [
        [str(path.relative_to(root)), _bytes(path)]
        for folder in data_set.images
        for path, _ in images(root / folder, data_set.left_out)
    ]
    digest = hashlib.sha256(canonical(listing).encode()).hexdigest()[:12]
    return root / "prepared" / f"{name.replace(':', '-')}-{size}-{digest}.npz"


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BenchError(f"{path} can't be read as a picture: {error.strerror}: mend it or remove it") from error


def prepare(name: str, data_set: DataSet, size: int, root: Path, say: Callable[[str], None]) -> None:
    """Read every image into the prepared file, uint8 (N, 3, size, size). Raises BenchError for one that can't be read.

    The shorter side is scaled to `size` (antialiased, bilinear) and the middle is kept. A prepared file that is damaged
    is set aside and made anew.
    """
    import numpy as np
    from PIL import Image, ImageOps

    from benchmark.data.image_files import picture

    def square(path: Path) -> np.ndarray:
        fitted = ImageOps.fit(picture(path, "RGB"), (size, size), Image.Resampling.BILINEAR)
        return np.asarray(fitted).transpose(2, 0, 1)

    target = prepared(name, data_set, size, root)
    try:
        if target.is_file():
            try:
                arrays_of(name, data_set, size, root)
                return
            except DamagedImages as damaged:
                aside = target.replace(target.with_name(f"{target.name}.damaged"))
                say(f"set aside {aside.name}: {damaged}; it will be made again")
        arrays: dict[str, Any] = {}
        for part, folder in zip(PARTS, data_set.images, strict=False):
            listed = images(root / folder, data_set.left_out)
            say(f"{root / folder}: reading {len(listed)} images once")
            arrays[f"{part}_x"] = np.stack([square(path) for path, _ in listed])
            arrays[f"{part}_y"] = np.array([number for _, number in listed], np.int64)
        with replaced(target) as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise BenchError(
            f"{target} can't be written ({error.strerror}): free some space, or give another folder with --data-root"
        ) from error


def arrays_of(name: str, data_set: DataSet, size: int, root: Path) -> dict[str, np.ndarray]:
    """The arrays of the prepared file: `train_x`, `train_y` and, where the set has its own, `test_x`, `test_y`.

    Raises DamagedImages unless number and size are those of the images, and the zip archive's checksums fit.
    """
    import numpy as np

    wanted: dict[str, tuple[tuple[int, ...], type]] = {}
    for part, folder in zip(PARTS, data_set.images, strict=False):
        count = len(images(root / folder, data_set.left_out))
        wanted |= {f"{part}_x": ((count, 3, size, size), np.uint8), f"{part}_y": ((count,), np.int64)}
    try:
        with np.load(prepared(name, data_set, size, root), allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
    except Exception as error:  # zipfile, zlib, tokenize and struct have an exception each for what they can't read
        raise DamagedImages(" ".join(str(error).split()) or type(error).__name__) from error
    if {key: (array.shape, array.dtype.type) for key, array in found.items()} != wanted:
        raise DamagedImages(f"it holds {', '.join(sorted(found)) or 'nothing'}, not the arrays of these images")
    return found
