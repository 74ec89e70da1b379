"""Folders of images: the user's own and Caltech-101, what is said of a broken one, and the prepared file."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench import PROFILE, bench_here
from PIL import Image

from benchmark.data.class_folders import arrays_of, prepare
from benchmark.data.download import provide
from benchmark.data.sources import DATA_SETS
from benchmark.data.splits import load
from benchmark.data.tasks import DATA_ROOT, Task, find_task
from benchmark.errors import BenchError
from benchmark.execution.job_runner import execute
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_ROOT, str(tmp_path))
    return tmp_path


def images(folder: Path, **counts: int) -> None:
    """Real photographs would do as well: colour squares whose red is their number."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (40, 20), (number, 100, 200)).save(folder / name / f"{number:03}.png")


def test_a_folder_of_images_is_a_task(root: Path) -> None:
    from benchmark.data.splits import validation

    images(root / "pets" / "train", cat=20, dog=30)
    images(root / "pets" / "val", cat=4, dog=6)
    task = find_task("folder:pets:16")
    assert (task.classes, task.shape) == (2, (3, 16, 16))
    assert (task.owner, task.thief, task.validation, task.test) == (40, 5, 5, 10)
    provide(task)
    splits = load(task)
    assert sorted(splits.test.y.tolist()) == [0] * 4 + [1] * 6
    parts = [splits.owner, splits.thief, validation(task)]
    assert sorted((int(y), int(x[0, 0, 0])) for part in parts for x, y in zip(part.x, part.y, strict=True)) == [
        *((0, number) for number in range(20)), *((1, number) for number in range(30)),
    ]  # fmt: skip
    assert {tuple(part.x.shape[1:]) for part in parts} == {(3, 16, 16)}
    assert len(task.data_hash()) == 64


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("folder:nowhere", "nowhere/train is missing: one subfolder of images per class belongs there"),
        ("folder:pets:7", "write folder:NAME or folder:NAME:SIZE"),
        ("folder:", "write folder:NAME or folder:NAME:SIZE"),
        ("folder:uneven", "have different subfolders"),
        ("folder:empty", "holds no image"),
        ("folder:broken:16", "001.png can't be read as a picture"),
    ],
)
def test_a_folder_that_is_no_task(root: Path, name: str, sentence: str) -> None:
    images(root / "pets" / "train", cat=1)
    for case, val in (("uneven", {"cat": 1}), ("empty", {"cat": 1, "dog": 1}), ("broken", {"cat": 2, "dog": 2})):
        images(root / case / "train", cat=2, dog=2)
        images(root / case / "val", **val)
    (root / "empty" / "val" / "dog" / "000.png").unlink()
    (root / "broken" / "val" / "dog" / "001.png").write_bytes(b"no image")
    with pytest.raises(BenchError) as error:
        provide(find_task(name))
    assert sentence in str(error.value)
    assert not (root / "prepared").exists()


@pytest.fixture
def caltech101(root: Path) -> Path:
    """The unpacked folder, with three classes of the hundred and two."""
    folder = root / "caltech101" / "101_ObjectCategories"
    images(folder, BACKGROUND_Google=3, airplanes=2, wrench=2)
    return folder


def test_caltech101_is_read_by_class_without_its_background(root: Path, caltech101: Path) -> None:
    named = ("caltech101", DATA_SETS["caltech101"], 32, root)
    prepare(*named, print)
    arrays = arrays_of(*named)
    assert arrays["train_x"].shape == (4, 3, 32, 32)
    assert arrays["train_y"].tolist() == [0, 0, 1, 1]


def test_a_data_set_that_was_unpacked_in_part_is_refused(root: Path, caltech101: Path) -> None:
    with pytest.raises(BenchError) as error:
        provide(find_task("caltech101"), offline=True)
    assert str(error.value) == (
        f"task caltech101: {caltech101} holds 4 images of 2 classes, not 8677 of 101: remove it, and it is fetched anew"
    )
    assert not (root / "prepared").exists()


def test_every_image_of_caltech101_has_its_place(root: Path, caltech101: Path) -> None:
    """Published with 101 classes and, but for the background, 8,677 images (github.com/pytorch/vision/issues/8809)."""
    (caltech101 / "wrench" / "000.png").unlink()
    task = find_task("caltech101")
    counts = {"classes": 2, "owner": 1, "thief": 1, "validation": 1, "test": 0}
    provide(replace(task, **counts), offline=True)
    assert (task.classes, task.owner + task.thief + task.validation + task.test) == (101, 8_677)


def test_describe_tells_of_tasks_and_architectures(root: Path) -> None:
    images(root / "pets" / "train", cat=20, dog=30)
    images(root / "pets" / "val", cat=4, dog=6)
    for words, line in (
        (("describe", "cifar10-whole"), "validation: 5000"),
        (("describe", "folder:pets:16"), "images: 3x16x16"),
        (("describe", "resnet18"), "width: 64 (int)"),
        (("list",), "folder:NAME"),
        (("list",), "Architectures: alexnet, convnet"),
    ):
        code, out, _ = bench_here(*words)
        assert code == 0
        assert line in out


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
    "not zlib": png(40, 20, b"no zlib stream"),
    "a chunk of no name": png(40, 20).replace(b"IDAT", b"\0\0\0\0"),  # SyntaxError
    "half a png": saved("PNG")[:3000],
    "half a jpeg": saved("JPEG")[:1000],
    "half a webp": saved("WEBP")[:1000],
    "no size": b"P6 a b 255 " + bytes(100),  # ValueError
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_image_ends_a_run_with_one_sentence(root: Path, content: bytes) -> None:
    images(root / "pets" / "train", cat=20, dog=30)
    images(root / "pets" / "val", cat=4, dog=6)
    path = root / "pets" / "val" / "dog" / "001.png"
    path.write_bytes(content)
    options = ("--task", "folder:pets:16", "--data-root", str(root), "--results", str(root / "results"))
    code, _, sentence = bench_here("run", "--profile", str(PROFILE), *options)
    assert code == 2
    assert sentence.startswith(f"{path} can't be read as a picture: ")
    assert sentence.endswith(": mend it or remove it")
    assert "\n" not in sentence
    assert not (root / "results").exists()
    assert not (root / "prepared").exists()


def test_a_link_that_leads_nowhere_is_named(root: Path) -> None:
    images(root / "pets" / "train", cat=20)
    images(root / "pets" / "val", cat=4)
    (root / "pets" / "val" / "cat" / "link.png").symlink_to(root / "gone.png")
    with pytest.raises(BenchError, match=r"link\.png can't be read as a picture: No such file"):
        provide(find_task("folder:pets:16"))


@pytest.fixture
def pets(root: Path) -> Task:
    images(root / "pets" / "train", cat=20, dog=30)
    images(root / "pets" / "val", cat=4, dog=6)
    task = find_task("folder:pets:16")
    provide(task)
    return task


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def other(**arrays: object) -> bytes:
    np.savez(file := io.BytesIO(), **arrays)  # type: ignore[arg-type]
    return file.getvalue()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut short": lambda whole: whole[:-1],
    "half": lambda whole: whole[: len(whole) // 2],
    "a pixel": lambda whole: flipped(whole, len(whole) // 4),
    "a label": lambda whole: flipped(whole, whole.index(b"test_x.npy") - 40),
    "a shape": lambda whole: flipped(whole, whole.index(b"(50, 3,") + 1),
    "a quote": lambda whole: flipped(whole, whole.index(b"'descr'") + 6),
    # the last entry of the zip's list becomes the comment of the one before: both are 56 bytes long
    "an array left out": lambda whole: whole[:-102] + bytes([56]) + whole[-101:],
    "text": lambda _: b"<html>not found</html>",
    "other arrays": lambda _: other(x=np.zeros(3)),
    "no training": lambda _: other(test_x=np.zeros((10, 3, 16, 16), np.uint8), test_y=np.zeros(10, np.int64)),
    "a pickle": lambda _: other(train_x=np.array([{}], dtype=object)),
}


@pytest.mark.parametrize("harm", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_prepared_file_is_named_set_aside_and_made_anew(
    root: Path, pets: Task, harm: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    path = pets.paths()[0]
    whole = path.read_bytes()
    damaged = harm(whole)
    assert damaged != whole
    path.write_bytes(damaged)
    with pytest.raises(BenchError, match=r"\.npz is damaged \(.+\): bench run makes it anew$"):
        load(pets)
    capsys.readouterr()
    provide(pets)
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith(f"set aside {path.name}.damaged: ")
    assert first.endswith("; it will be made again")
    assert path.with_name(f"{path.name}.damaged").read_bytes() == damaged
    assert path.read_bytes() == whole  # the same bytes, so results keep their names
    load(pets)


def test_damage_during_a_run_leaves_the_job_to_the_next_run(root: Path, pets: Task) -> None:
    profile, registry = load_profile(str(PROFILE)).with_options(task=pets.name), Registry.discover()
    plan = make_plan(profile, select_schemes("rose", registry), select_attacks("none", registry), {})
    job = next(job for job in plan.jobs if job.kind == "null")
    pets.paths()[0].write_bytes(b"")
    outcome = execute(job, {"root": str(root / "results"), "device": "cpu"})
    assert outcome["status"] == "killed"
    assert outcome["reason"].endswith("bench run makes it anew")


def test_a_prepared_file_that_is_whole_is_left_alone(pets: Task, capsys: pytest.CaptureFixture[str]) -> None:
    before = os.stat(pets.paths()[0]).st_mtime_ns
    capsys.readouterr()
    provide(pets)
    assert os.stat(pets.paths()[0]).st_mtime_ns == before
    assert capsys.readouterr().err == ""


def test_a_data_root_that_can_t_be_written_is_one_sentence(root: Path) -> None:
    images(root / "pets" / "train", cat=20)
    images(root / "pets" / "val", cat=4)
    (root / "prepared").write_text("a file in the folder's place")
    with pytest.raises(BenchError, match=r"\.npz can't be written \(.+\): free some space, or give another folder"):
        provide(find_task("folder:pets:16"))
