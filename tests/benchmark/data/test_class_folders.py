"""Folders of images: which files count, and what is said of a broken one; Caltech-101 among them."""

from __future__ import annotations

import io
import os
import struct
import unicodedata
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench import PROFILE, bench_here
from own_pictures import pictures
from PIL import Image

from benchmark.data.class_folders import classes, images, last_seen
from benchmark.data.download import provide
from benchmark.data.splits import load_split
from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.errors import BenchError


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_ROOT, str(tmp_path))
    return tmp_path


def names(folder: Path) -> list[tuple[str, int]]:
    return [(path.relative_to(folder).as_posix(), number) for path, number in images(folder)]


def test_hidden_files_and_folders_are_no_pictures_and_no_classes(root: Path) -> None:
    pictures(root, cat=2, dog=1)
    for name in (".ipynb_checkpoints", "__MACOSX", "@eaDir"):
        pictures(root, **{name: 1})
        pictures(root / "cat", **{name: 1})
    for name in (".DS_Store", "._000.png", "Thumbs.db", "labels.txt"):
        (root / "cat" / name).write_bytes(b"no picture")
        (root / name).write_bytes(b"no picture")
    assert names(root) == [("cat/000.png", 0), ("cat/001.png", 0), ("dog/000.png", 1)]


def test_pictures_in_deeper_folders_and_behind_links_count(root: Path) -> None:
    pictures(root / "found", cat=1, dog=1)
    pictures(root / "found" / "cat", y2021=1)
    pictures(root / "elsewhere", a=1, b=1)
    (root / "found" / "cat" / "linked").symlink_to(root / "elsewhere" / "a")
    (root / "found" / "emu").symlink_to(root / "elsewhere" / "b")
    (root / "found" / "dog" / "UPPER.JPEG").write_bytes((root / "found" / "dog" / "000.png").read_bytes())
    assert names(root / "found") == [
        ("cat/000.png", 0), ("cat/linked/000.png", 0), ("cat/y2021/000.png", 0),
        ("dog/000.png", 1), ("dog/UPPER.JPEG", 1), ("emu/000.png", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("up", ["cat", "", ".."])
def test_a_link_to_a_folder_that_it_lies_in_is_refused(root: Path, up: str) -> None:
    """Those of all classes would count as cats."""
    pictures(root / "pets", cat=1, dog=1)
    (root / "pets" / "cat" / "round").symlink_to(root / "pets" / up)
    with pytest.raises(BenchError, match=r"cat/round leads to .*, a folder that it lies in: remove the link"):
        images(root / "pets")


def test_a_class_behind_a_link_has_no_way_back(root: Path) -> None:
    pictures(root / "archive", cat=1)
    pictures(root / "pets", dog=1)
    (root / "pets" / "cat").symlink_to(root / "archive" / "cat")
    (root / "archive" / "cat" / "back").symlink_to(root / "pets")
    with pytest.raises(BenchError, match=r"cat/back/cat leads to .*/archive/cat, a folder that it lies in"):
        images(root / "pets")


def test_one_name_in_two_unicode_forms_is_one_class(root: Path) -> None:
    for part, form in (("train", "NFC"), ("val", "NFD")):
        pictures(root / part, **{unicodedata.normalize(form, name): 1 for name in ("Übung", "zoo", "été")})
    assert [*classes(root / "train")] == [*classes(root / "val")] == ["zoo", "Übung", "été"]
    pictures(root / "both", **{unicodedata.normalize(form, "Übung"): 1 for form in ("NFC", "NFD")})
    with pytest.raises(BenchError, match="two folders called Übung, written in two ways"):
        classes(root / "both")


def test_a_link_that_leads_nowhere_and_what_is_no_file_are_named(root: Path) -> None:
    (root / "link.png").symlink_to(root / "gone.png")
    os.mkfifo(root / "pipe.png")
    for name, reason in (("link.png", "No such file or directory"), ("pipe.png", "it is no regular file")):
        with pytest.raises(BenchError, match=rf"{name} can't be read as a picture: {reason}: mend it or remove it"):
            last_seen(root, [root / name])


@pytest.fixture
def caltech101(root: Path) -> Path:
    """The unpacked folder, with three classes of the hundred and two."""
    folder = root / "caltech101" / "101_ObjectCategories"
    pictures(folder, BACKGROUND_Google=3, airplanes=2, wrench=2)
    return folder


def test_a_data_set_that_was_unpacked_in_part_is_refused(root: Path, caltech101: Path) -> None:
    with pytest.raises(BenchError) as error:
        provide(find_task("caltech101"), offline=True)
    assert str(error.value) == (
        f"task caltech101: {caltech101} holds 4 images of 2 classes, not 8677 of 101: remove it, and it is fetched anew"
    )
    assert not (root / "prepared").exists()


def test_every_image_of_caltech101_has_its_place_and_none_of_its_background(root: Path, caltech101: Path) -> None:
    """Published with 101 classes and, but for the background, 8,677 images (github.com/pytorch/vision/issues/8809)."""
    task = find_task("caltech101")
    assert (task.classes, task.owner + task.thief + task.validation + task.test) == (101, 8_677)
    counts = {"classes": 2, "owner": 1, "thief": 1, "validation": 1, "test": 1}
    few = replace(task, **counts)
    provide(few, offline=True)
    parts = [load_split(few, role) for role in ("owner", "thief", "test", "validation")]
    assert sorted((int(part.y[0]), int(part.x[0, 0, 0, 0])) for part in parts) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_describe_tells_of_tasks_and_architectures(root: Path) -> None:
    pictures(root / "pets" / "train", cat=50, dog=60)
    pictures(root / "pets" / "val", cat=4, dog=6)
    for words, line in (
        (("describe", "cifar10-whole"), "validation: 5000"),
        (("describe", "folder:pets:16"), "images: 3x16x16"),
        (("describe", "folder:pets:16"), f"files: {root}/pets/train, {root}/pets/val"),
        (("describe", "resnet18"), "width: 64 (int)"),
        (("list",), "folder:NAME, folder-pairs:NAME"),
        (("list",), "Architectures: alexnet, convnet"),
    ):
        code, out, _ = bench_here(*words)
        assert code == 0
        assert " ".join(line.split()) in " ".join(out.split())


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG whose header says anything and whose pixels are what is given."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def saved(form: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), form)
    return file.getvalue()


BROKEN = {
    "empty": b"",
    "text": b"<html>not found</html>",
    "a bomb": png(100_000, 100_000),  # DecompressionBombError
    "a smaller bomb": png(10_000, 10_000),  # of which PIL only warns
    "not zlib": png(40, 20, b"no zlib stream"),
    "a chunk of no name": png(40, 20).replace(b"IDAT", b"\0\0\0\0"),  # SyntaxError
    "half a png": saved("PNG")[:3000],
    "half a jpeg": saved("JPEG")[:1000],
    "half a webp": saved("WEBP")[:1000],
    "no size": b"P6 a b 255 " + bytes(100),  # ValueError
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_image_ends_a_run_with_one_sentence(root: Path, content: bytes) -> None:
    pictures(root / "pets" / "train", cat=50, dog=60)
    pictures(root / "pets" / "val", cat=4, dog=6)
    path = root / "pets" / "val" / "dog" / "001.png"
    path.write_bytes(content)
    options = ("--task", "folder:pets:16", "--data-root", str(root), "--results", str(root / "results"))
    code, _, sentence = bench_here("run", "--profile", str(PROFILE), "--schemes", "adi", *options)
    assert code == 2
    assert sentence.startswith(f"{path} can't be read as a picture: ")
    assert sentence.endswith(": mend it or remove it")
    assert "\n" not in sentence
    assert not (root / "results").exists()
    assert not list(root.glob("prepared/*/*.json"))
