"""The user's own pictures as tasks: how they are named, how they may lie, and what is said where they won't do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from bench import PROFILE, bench_here
from own_pictures import pictures
from PIL import Image

from benchmark.data.download import provide
from benchmark.data.splits import load, load_split
from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.errors import BenchError
from benchmark.planning.profile import load_profile


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv(DATA_ROOT, str(folder))
    return folder


def pets(folder: Path) -> None:
    pictures(folder / "train", cat=50, dog=60)
    pictures(folder / "val", cat=4, dog=6)


def pairs(folder: Path, count: int) -> None:
    """Clean pictures of noise in target, darker ones of the same names in input."""
    rng = np.random.default_rng(0)
    for side in ("input", "target"):
        (folder / side).mkdir(parents=True)
    for number in range(count):
        clean = rng.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(clean).save(folder / "target" / f"{number:03}.png")
        Image.fromarray(clean // 2).save(folder / "input" / f"{number:03}.bmp")


def test_a_folder_of_images_is_a_task(root: Path) -> None:
    pets(root / "pets")
    task = find_task("folder:pets:16")
    assert (task.classes, task.shape) == (2, (3, 16, 16))
    assert (task.owner, task.thief, task.validation, task.test) == (88, 11, 11, 10)
    splits = load(task)
    assert sorted(splits.test.y.tolist()) == [0] * 4 + [1] * 6
    parts = [splits.owner, splits.thief, load_split(task, "validation")]
    assert sorted((int(y), int(x[0, 0, 0])) for part in parts for x, y in zip(part.x, part.y, strict=True)) == [
        *((0, number) for number in range(50)), *((1, number) for number in range(60)),
    ]  # fmt: skip
    assert len(task.data_hash()) == 64


@pytest.mark.parametrize("below", ["", "train"])
def test_without_val_the_judge_has_a_fifth_and_it_is_said(
    root: Path, below: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(root / "pets" / below, cat=50, dog=60)
    task = find_task("folder:pets:16")
    assert (task.owner, task.thief, task.validation, task.test) == (66, 11, 11, 22)
    provide(task)
    assert "22 the judge's, a fifth of all, since there is no folder val" in capsys.readouterr().err
    images = [image.numpy().tobytes() for part in vars(load(task)).values() for image in part.x]
    assert len(set(images)) == len(images) == 99


@pytest.mark.parametrize("link", ["val/cat/again", "val/cat", "train/dog/again"])
def test_a_folder_that_lies_in_two_is_refused(root: Path, link: str) -> None:
    """One picture would have two owners, or two classes."""
    pets(root / "pets")
    if (path := root / "pets" / link).exists():
        shutil.rmtree(path)
    path.symlink_to(root / "pets" / "train" / "cat")
    with pytest.raises(BenchError) as error:
        find_task("folder:pets:16")
    assert f"{path} are one folder, whose pictures would count twice: remove the link" in str(error.value)


def test_pairs_in_a_folder_that_lies_in_two_are_refused(root: Path) -> None:
    pairs(root / "dark" / "train", 100)
    (root / "dark" / "val").symlink_to(root / "dark" / "train")
    with pytest.raises(BenchError, match=r"dark/val/input are one folder, whose pictures would count twice"):
        find_task("folder-pairs:dark:16")


def test_what_a_person_may_not_expect_of_his_pictures_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twins, a class of one picture, and what a telephone writes; said by each run."""
    pets(root / "pets")
    for number in range(3):
        shutil.copy(
            root / "pets" / "train" / "dog" / f"{number:03}.png", root / "pets" / "val" / "dog" / f"t{number}.png"
        )
    for part, number in (("train", 1), ("val", 2)):
        pictures(root / "pets" / part, emu=1)
        (root / "pets" / part / "dog" / f"{number}.HEIC").write_bytes(b"")
    (root / "pets" / "train" / "dog" / "labels.txt").write_text("")
    task = find_task("folder:pets:16")
    splits = {role: load_split(task, role) for role in ("owner", "thief", "test")}
    held = {role: {image.numpy().tobytes() for image in split.x} for role, split in splits.items()}
    twins = sum(image.numpy().tobytes() in held["owner"] | held["thief"] for image in splits["test"].x)
    assert 0 < twins <= 3
    for _ in range(2):
        provide(task)
        said = capsys.readouterr().err
        assert f"{twins} of the judge's 14 images are another party's too, pixel for pixel: remove the copies" in said
        assert "3 files are not read as pictures, by their endings: 2 .heic, 1 .txt" in said
        assert "the thief has no image of emu\n" in said
        assert "the judge has no image" not in said


def test_ordinary_pictures_surprise_nobody(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pets(root / "pets")
    provide(find_task("folder:pets:16"))
    shares, prepared = capsys.readouterr().err.splitlines()
    assert shares.endswith("88 are the owner's, 11 the thief's, 11 no job's, 10 the judge's")
    assert "preparing its images once" in prepared


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("folder:pets", "folder:pets"),
        ("folder:pets/", "folder:pets"),
        ("folder:./pets/:16", "folder:pets:16"),
        ("folder:{root}/pets/:016", "folder:{root}/pets:16"),
        ("folder:~/pets:16", "folder:{root}/pets:16"),
        ("folder:my pets: 2:16", "folder:my pets: 2:16"),
        ("folder:Übung/猫:16", "folder:Übung/猫:16"),
    ],
)
def test_one_folder_has_one_name(root: Path, typed: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    for folder in ("pets", "my pets: 2", "Übung/猫"):
        pets(root / folder)
    typed, name = typed.format(root=root), name.format(root=root)
    task = find_task(load_profile("quick").with_options(task=typed, thief_labelled=("all",)).task)
    assert task.name == name
    assert task.shape[1:] == ((16, 16) if name.endswith(":16") else (224, 224))
    assert task.owner == 88


def test_a_folder_anywhere_is_prepared_in_the_data_root(root: Path, tmp_path: Path) -> None:
    pets(tmp_path / "elsewhere")
    task = find_task(f"folder:{tmp_path}/elsewhere:16")
    provide(task)
    assert len(load_split(task, "owner")) == 88
    assert len(list(root.glob("prepared/*/*-owner-x.npy"))) == 1


@pytest.mark.parametrize("name", ["a" * 5000, "a/" * 5000])
def test_a_name_that_is_too_long_is_one_sentence(name: str) -> None:
    with pytest.raises(BenchError, match=r"its folder can't be looked at \(File name too long\)") as error:
        find_task(f"folder:{name}")
    assert len(str(error.value)) < 200


def _without(path: str):
    return lambda folder: shutil.rmtree(folder / path)


def _moved(path: str, to: str):
    return lambda folder: (folder / path).rename(folder / to)


def _emptied(folder: Path) -> None:
    for path in (folder / "val" / "dog").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_without(""), "pets is missing: a folder of pictures belongs there, or give its path"),
        (_without("val/dog"), "have different subfolders (dog in one alone): each class needs both"),
        (_moved("val/dog", "val/Dog"), "have different subfolders (Dog, dog in one alone)"),
        (_emptied, "val/dog holds no image (.bmp, "),
        (_moved("val", "valid"), "valid is no class: call the folder to train on train, and the judge's val"),
        (_moved("train", "Train"), "Train is no class: call the folder"),
        (_without("train"), "train is missing: pictures to train on belong there, beside val"),
        (lambda folder: [shutil.rmtree(folder / part / "dog") for part in ("train", "val")], "holds 1 class, and two"),
        (lambda folder: [path.unlink() for path in folder.glob("train/*/*0.png")], "holds 99 pictures to train on"),
    ],
)
def test_a_folder_that_is_no_task_is_one_sentence(root: Path, change, sentence: str) -> None:
    pets(root / "pets")
    change(root / "pets")
    with pytest.raises(BenchError) as error:
        find_task("folder:pets:16")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["folder:", "folder: ", "folder::64", "folder:pets:7", "folder:pets:99999999999"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(BenchError, match="write folder:NAME or folder:NAME:SIZE, such as folder:photos:64"):
        find_task(name)


def test_test_beside_train_and_val_is_nobodys(root: Path) -> None:
    pets(root / "pets")
    pictures(root / "pets" / "test", cat=9)
    assert find_task("folder:pets:16").test == 10


@pytest.mark.parametrize("layout", ["split of one", "above", "below"])
def test_pairs_of_images_are_a_task_for_nets_from_image_to_image(root: Path, layout: str) -> None:
    if layout == "split of one":
        pairs(root / "dark", 100)
    for part, count in (("train", 100), ("val", 30)) if layout != "split of one" else ():
        pairs(root / "dark" / part, count)
    if layout == "below":
        for side in ("input", "target"):
            (root / "dark" / side).mkdir()
            for part in ("train", "val"):
                (root / "dark" / part / side).rename(root / "dark" / side / part)
        for part in ("train", "val"):
            (root / "dark" / part).rmdir()
    task = find_task("folder-pairs:dark:16")
    assert (task.kind, task.unit, task.shape) == ("image-to-image", "dB", (3, 16, 16))
    assert task.test == (20 if layout == "split of one" else 30)
    splits = load(task)
    for part in vars(splits).values():
        assert part.x.shape == part.y.shape == (len(part), 3, 16, 16)
        assert (part.x.float() - part.y.float() / 2).abs().max() < 2  # each input beside its own target
    assert len(splits.owner) == (60 if layout == "split of one" else 80)


def _sized(folder: Path) -> None:
    Image.new("RGB", (24, 21)).save(folder / "target" / "007.png")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: (folder / "input" / "007.bmp").unlink(), "have different pictures (007 in one alone)"),
        (
            lambda folder: shutil.copy(folder / "target" / "007.png", folder / "target" / "007.PPM"),
            "have one name with",
        ),
        (_without("target"), "target is missing: pictures belong there, of the same names in input and target"),
        (_sized, "007.png 24x21: an input and its target are of one size"),
        (lambda folder: [path.unlink() for path in folder.glob("*/09*")], "holds 90 pictures to train on, and 100"),
    ],
)
def test_pairs_that_are_none_are_one_sentence(root: Path, change, sentence: str) -> None:
    pairs(root / "dark", 100)
    change(root / "dark")
    with pytest.raises(BenchError) as error:
        provide(find_task("folder-pairs:dark:16"))
    assert sentence in str(error.value)
    with pytest.raises(BenchError, match="SIZE a multiple of 4"):
        find_task("folder-pairs:dark:18")


def asked(task: str, schemes: str, root: Path) -> tuple[int, str, str]:
    words = "--schemes", schemes, "--attacks", "none", "--thief-labelled", "all", "--results", str(root / "res")
    return bench_here("plan", "--task", task, *words)


def test_a_task_that_no_scheme_would_run_on_is_refused(root: Path) -> None:
    pets(root / "pets")
    pairs(root / "dark", 100)
    code, _, sentence = asked("folder:pets:16", "deepmodel(adversarial=true)", root)
    assert code == 2
    assert sentence == (
        "--task folder:pets:16 is classification, and deepmodel(adversarial=true) marks image-to-image nets: "
        "give pairs of images with --task folder-pairs:NAME, or leave --task out"
    )
    code, _, sentence = asked("folder-pairs:dark:16", "adi", root)
    assert code == 2
    assert "marks classification nets: give --task folder:NAME, or leave --task out" in sentence
    assert not (root / "prepared").exists()


def test_a_task_that_some_schemes_run_on_says_what_becomes_of_the_others(root: Path) -> None:
    pets(root / "pets")
    code, _, said = asked("folder:pets:16", "adi,deepmodel", root)
    assert code == 0
    assert "--task folder:pets:16 is classification: the profile's derain serves deepmodel, which marks" in said


def test_a_run_on_pairs_of_ones_own_ends_with_a_board(root: Path, tmp_path: Path) -> None:
    pairs(root / "dark", 100)
    profile = tmp_path / "tiny.toml"
    quick = Path(str(PROFILE)).parents[1] / "benchmark" / "planning" / "profiles" / "quick.toml"
    profile.write_text(quick.read_text().replace("epochs = 20", "epochs = 1"))
    words = (
        "run",
        "--profile",
        str(profile),
        "--task",
        "folder-pairs:dark:8",
        "--schemes",
        "deepmodel(adversarial=false,epochs=1)",
    )
    code, out, error = bench_here(*words, "--attacks", "none", "--workers", "1", "--results", str(tmp_path / "results"))
    assert code == 0, out + error
    page = (tmp_path / "results" / "tiny" / "leaderboard.md").read_text()
    assert "folder-pairs:dark:8" in page
