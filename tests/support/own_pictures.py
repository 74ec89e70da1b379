"""Folders of small pictures, as a user has them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def pictures(folder: Path, **counts: int) -> None:
    """Subfolders of colour squares, of which no two are alike: red is the number, green tells the folder."""
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            green = 100 + 10 * place + len(folder.name)
            Image.new("RGB", (40, 20), (number, green, 200)).save(folder / name / f"{number:03}.png")
