"""Pictures from a folder: their order, their shape, and what is said of a folder that won't do."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.image_files import picture, picture_files, pictures
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


def seen(path: Path, image: Image.Image, **options: object) -> list[int]:
    """The colour of a picture that has one, as it is read."""
    image.save(path, **options)
    read = picture(path, "RGB")
    assert read.mode == "RGB"
    (colour,) = {read.getpixel((x, y)) for x in range(read.width) for y in range(read.height)}
    return list(colour)


def test_every_mode_is_read_as_a_person_sees_it(tmp_path: Path) -> None:
    size = (4, 4)
    grey16 = Image.fromarray(np.full(size, 128 << 8, np.uint16))
    assert seen(tmp_path / "a.png", grey16) == [128, 128, 128]
    assert seen(tmp_path / "a.tif", grey16) == [128, 128, 128]
    assert seen(tmp_path / "big-endian.png", Image.new("I;16B", size, 255 << 8)) == [255, 255, 255]
    assert seen(tmp_path / "bits.png", Image.new("1", size, 1)) == [255, 255, 255]
    assert seen(tmp_path / "palette.gif", Image.new("RGB", size, (9, 8, 7)).quantize(2)) == [9, 8, 7]
    assert seen(tmp_path / "alpha.png", Image.new("RGBA", size, (200, 0, 0, 0))) == [255, 255, 255]
    assert seen(tmp_path / "half.png", Image.new("LA", size, (0, 128))) == [127, 127, 127]
    assert seen(tmp_path / "opaque.webp", Image.new("RGBA", size, (0, 0, 0, 255)), lossless=True) == [0, 0, 0]
    red, green, blue = seen(tmp_path / "cmyk.jpg", Image.new("CMYK", size, (0, 255, 255, 0)))
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize(("mode", "value"), [("F", 0.5), ("I", 70_000)])
def test_numbers_without_a_known_white_are_refused(tmp_path: Path, mode: str, value: float) -> None:
    Image.new(mode, (4, 4), value).save(tmp_path / "float.tif")
    with pytest.raises(BenchError, match=r"float\.tif can't be read as a picture: its numbers have no known white"):
        picture(tmp_path / "float.tif", "RGB")


@pytest.mark.parametrize("form", ["png", "tif"])
def test_twelve_bits_in_sixteen_are_refused_and_dark_pictures_of_eight_are_not(tmp_path: Path, form: str) -> None:
    Image.fromarray(np.full((4, 4), 4095, np.uint16)).save(tmp_path / f"a.{form}")
    with pytest.raises(
        BenchError, match=r"no pixel reaches 4096 of its 65535, as where 12 bits lie in 16: save it with"
    ):
        picture(tmp_path / f"a.{form}", "RGB")
    assert seen(tmp_path / f"least.{form}", Image.fromarray(np.full((4, 4), 4096, np.uint16))) == [16, 16, 16]
    assert seen(tmp_path / f"dark.{form}", Image.new("RGB", (4, 4), (1, 0, 2))) == [1, 0, 2]


def colour16(*pixel: int) -> bytes:
    """A PNG of one pixel with 16 bits a colour, which PIL reads and can't write; the fourth is opacity."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2 if len(pixel) == 3 else 6, 0, 0, 0)
    pixels = zlib.compress(struct.pack(f">B{len(pixel)}H", 0, *pixel))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_twelve_bits_in_sixteen_are_refused_in_colour(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for dim in (colour16(4095, 0, 9), colour16(4095, 0, 9, 65535)):
        path.write_bytes(dim)
        with pytest.raises(BenchError, match="as where 12 bits lie in 16"):
            picture(path, "RGB")
    path.write_bytes(colour16(0, 4096, 0))
    assert picture(path, "RGB").getpixel((0, 0)) == (0, 16, 0)


def test_a_photograph_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    upright = Image.fromarray(np.repeat([[0, 255]], 4, 0).repeat(4, 1).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise to see it upright: what is left in the file comes to the top
    upright.save(tmp_path / "a.png", exif=exif)
    assert np.asarray(picture(tmp_path / "a.png", "L"))[[0, -1]].mean(1).tolist() == [0, 255]
    for said in (b"Exif\0\0no TIFF", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        upright.save(tmp_path / "a.jpg", exif=said)
        assert picture(tmp_path / "a.jpg", "L").size == (8, 4)


def test_of_a_picture_that_moves_the_first_counts(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), grey) for grey in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert picture(tmp_path / "a.gif", "L").getpixel((0, 0)) == 10


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(BenchError, match="It is no regular file"):
        picture(tmp_path / "a.png", "L")


def test_no_program_outside_is_asked_to_decode(tmp_path: Path) -> None:
    """PIL hands PostScript to Ghostscript, whatever the file is called."""
    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(BenchError, match="cannot identify image file"):
        picture(tmp_path / "a.png", "RGB")
