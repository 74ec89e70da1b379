"""Folders of small pictures, as a user has them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def pictures(folder: Path, **counts: int) -> None:
    """Subfolders of colour squares, of which no two are alike: red is the number, green tells the folder."""
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            green = 100 + 10 * place + len(folder.name)
            Image.new("RGB", (40, 20), (number, green, 200)).save(folder / name / f"{number:03}.png")


def digit_pictures(folder: Path, each: int, classes: int = 3, size: int = 32) -> Path:
    """`each` scans of the first digits, one subfolder per class, as grey pictures of `size` x `size` pixels."""
    found = load_digits()
    for digit in range(classes):
        (folder / f"digit-{digit}").mkdir(parents=True)
        for number in np.flatnonzero(found.target == digit)[:each]:
            scan = Image.fromarray((found.images[number] * 255 / 16).astype(np.uint8))
            scan.resize((size, size), Image.Resampling.BILINEAR).save(folder / f"digit-{digit}" / f"{number:04}.png")
    return folder


def module_at(file: Path) -> ModuleType:
    """The module that a file holds, wherever it lies."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cifar10_pack(folder: Path) -> ModuleType:
    """The reader that lies beside the packed CIFAR-10 in `folder`."""
    return module_at(folder / "cifar10_pack.py")


def cifar10(data: Path, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Images `first` to `last` of each class of the packed CIFAR-10 in `data`: uint8 (N, 32, 32, 3), labels (N,)."""
    images, labels, _ = cifar10_pack(data / "cifar10").load("train", subset=True)
    chosen = np.concatenate([np.flatnonzero(labels == one)[first:last] for one in range(10)])
    return images[chosen], labels[chosen]


def class_folders(images: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """One subfolder of pictures per class."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / f"class-{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"class-{label}" / f"{number:04}.png")
