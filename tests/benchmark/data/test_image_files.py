"""Pictures from a folder: their order, their shape, and what is said of a folder that won't do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.image_files import picture_files, pictures
from benchmark.errors import BenchError


def save(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (10, 2, 1):
        save(tmp_path / f"{number}.png", np.full((8, 8, 3), number))
    (tmp_path / "labels.txt").write_text("1")
    return tmp_path


def test_files_come_in_the_order_of_their_numbers(folder: Path) -> None:
    save(folder / "B2a.JPG", np.zeros((2, 2)))
    save(folder / "b10.png", np.zeros((2, 2)))
    assert [file.name for file in picture_files(folder)] == ["1.png", "2.png", "10.png", "B2a.JPG", "b10.png"]
    assert pictures(folder, 3, (3, 4, 4))[:, 0, 0, 0].tolist() == [1, 2, 10]


def test_a_picture_covers_the_shape_and_is_cut_in_the_middle(tmp_path: Path) -> None:
    wide = np.zeros((4, 12, 3))
    wide[:, 4:8] = (200, 100, 50)  # the middle third, all that is left of a square
    save(tmp_path / "wide.png", wide)
    (image,) = pictures(tmp_path, 1, (3, 4, 4))
    assert image.shape == (3, 4, 4)
    assert image.flatten(1).float().mean(1).tolist() == [200, 100, 50]
    assert pictures(tmp_path, 1, (3, 2, 6)).shape == (1, 3, 2, 6)


def test_grey_tasks_get_grey_pictures_and_grey_pictures_colour(tmp_path: Path) -> None:
    save(tmp_path / "red.png", np.full((4, 4, 3), (255, 0, 0)))
    (grey,) = pictures(tmp_path, 1, (1, 4, 4))
    assert grey.unique().tolist() == [76]  # ITU-R 601: 0.299 of 255
    save(tmp_path / "red.png", np.full((4, 4), 9))
    assert pictures(tmp_path, 1, (3, 4, 4)).unique().tolist() == [9]


def test_a_folder_that_will_not_do_is_told_in_a_sentence(folder: Path) -> None:
    with pytest.raises(BenchError, match="holds 3 pictures, and 4 are needed"):
        pictures(folder, 4, (1, 4, 4))
    with pytest.raises(BenchError, match="there is no folder"):
        pictures(folder / "none", 1, (1, 4, 4))
    with pytest.raises(BenchError, match="1 or 3 channels, and the task asks for 4"):
        pictures(folder, 1, (4, 4, 4))
    save(folder / "3.png", np.full((8, 8, 3), 1))
    with pytest.raises(BenchError, match=r"1\.png and 3\.png in .* look the same"):
        pictures(folder, 3, (1, 4, 4))
    whole = (folder / "2.png").read_bytes()
    for broken in (b"no picture", whole[:40], b""):
        (folder / "2.png").write_bytes(broken)
        with pytest.raises(BenchError, match=r"2\.png can't be read as a picture"):
            pictures(folder, 2, (1, 4, 4))
