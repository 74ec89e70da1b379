"""Folders of real pictures that are always there: scikit-learn's handwritten digits, as a user would lay them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def digit_pictures(folder: Path, each: int, classes: int = 3, size: int = 32) -> Path:
    """`each` scans of the first digits, one subfolder per class, as grey pictures of `size` x `size` pixels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for digit in range(classes):
        (folder / f"digit-{digit}").mkdir(parents=True)
        for number in np.flatnonzero(found.target == digit)[:each]:
            scan = Image.fromarray((found.images[number] * 255 / 16).astype(np.uint8))
            scan.resize((size, size), Image.Resampling.BILINEAR).save(folder / f"digit-{digit}" / f"{number:04}.png")
    return folder
