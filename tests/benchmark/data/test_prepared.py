"""Prepared splits: a file for each role, equal to what was read, found damaged, shared, and made where one may."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from bench import PROFILE, bench_here
from own_pictures import pictures
from PIL import Image

from benchmark.data.prepared import ROLES
from benchmark.data.splits import load, load_split, prepare_splits, source_files, split_files
from benchmark.data.tasks import DATA_ROOT, Task, find_task
from benchmark.errors import BenchError
from benchmark.execution.job_runner import execute
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

# SHA-256, the first 16 digits, of dtype, shape and bytes of x and y, by role: as version 0.2.0 gave them
OF_0_2_0 = {
    "digits": ("155c89b7913ea03c 0b67bd9003c19140 fe067e8debe70843 4fa2a667022a1490 2d4975e3ccbca029 fa0c0d29429383a9"),
    "derain": ("aa863522c261bff1 03785665f260d842 fe85a4ae987df010 5aae04673ee08f50 11564d79e26ae3d2 00d825e1268241d0"),
    "denoise": (
        "1c75ea496e83035c 03785665f260d842 1def3f1026874e72 7cbe6212e8b8cd53 84b589bb0b065da7 d4ab0125be131384"
    ),
    "cifar10-small": (
        "d7bcd13136eb9a7d 013017b006e15c94 7889038c3294d429 ea59e299e5ce7442 "
        "06568a41bbe9df2b b8805cac9df890f3 81ec5a2170e312d1 115155d92d219747"
    ),
    "fashion-mnist-small": (
        "5f95240ab2159c76 cf7ea70748bcd6bd 6d6b9b3c0908d2a5 29574d4b9ef3c642 "
        "60178f5c1fd43efe 186e4adaecc522ba 3e483ff4e39f96a0 71c60794e148040a"
    ),
    "fmnist5-small": (
        "88d106ec6f7824d1 f2de230dae3a69ad 31f504611a520555 26cedb7a4eaa65ea "
        "2eb6469fbd6cec48 1a40dc006e3e2bf9 d1393d570c24ef99 f1b5f2dd9e401a8a"
    ),
}
HASHES = {  # of the data, in the payload of every job and on published boards
    "digits": "35e3bb0731b33094ccbcbc2a81b5d8734160e409cad0bf8b29329673f289e38c",
    "derain": "5bb05c74396237c7471c51cfd23aac833420b388ce5b2721c44277f8eaebdefc",
    "cifar10-small": "2fb8f8e737b1d6dcecfe648a37b7f0cfacdf013aab488e2b14f03b3e13f9db29",
    "fashion-mnist-small": "5766119e986d6625f15b528a24ecbb913bfe0192b5bc140016a4d389edc32915",
}


def digest(values: torch.Tensor) -> str:
    form = str((values.dtype, tuple(values.shape)))
    return hashlib.sha256(form.encode() + values.numpy().tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", OF_0_2_0)
def test_the_images_are_those_of_before(name: str, request: pytest.FixtureRequest, monkeypatch) -> None:
    if name[:2] in ("ci", "fa", "fm"):
        root = request.getfixturevalue("cifar10" if name.startswith("cifar") else "fashion_mnist")
        monkeypatch.setenv(DATA_ROOT, str(root))
    task, wanted = find_task(name), OF_0_2_0[name].split()
    prepare_splits(task)
    found = [load_split(task, role) for role in ROLES]
    assert [digest(side) for data in found for side in (data.x, data.y)][: len(wanted)] == wanted
    assert task.data_hash() == HASHES.get(name, task.data_hash())


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with pets: 50 cats and 60 dogs to train on, 4 and 6 for the judge."""
    folder = tmp_path / "data"
    pictures(folder / "pets" / "train", cat=50, dog=60)
    pictures(folder / "pets" / "val", cat=4, dog=6)
    monkeypatch.setenv(DATA_ROOT, str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def pets(root: Path) -> Task:
    task = find_task("folder:pets:16")
    prepare_splits(task)
    return task


def test_each_role_has_files_of_its_own_with_nothing_of_another(pets: Task, root: Path) -> None:
    files = split_files(pets)
    assert files.keys() == {"owner", "thief", "test", "validation"}
    paths = [path for both in files.values() for path in both]
    assert len(set(paths)) == 8
    assert all(path.is_relative_to(root / "prepared") for path in paths)
    images = {role: {one.tobytes() for one in np.load(files[role][0])} for role in files}
    assert {role: len(some) for role, some in images.items()} == {
        "owner": 88,
        "thief": 11,
        "validation": 11,
        "test": 10,
    }
    assert len(set().union(*images.values())) == 120
    assert source_files(pets) == [root / "pets" / "train", root / "pets" / "val"]
    for role in ("owner", "test", "validation"):
        for path in files[role]:
            path.unlink()
    assert len(load_split(pets, "thief")) == 11  # reads no other


def test_who_writes_into_his_images_changes_no_file_and_nobody_elses(pets: Task) -> None:
    mine, yours = load_split(pets, "owner"), load_split(pets, "owner")
    before = mine.x.clone()
    mine.x.zero_()
    assert torch.equal(yours.x, before)
    assert torch.equal(load_split(pets, "owner").x, before)


def flipped(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a pixel": lambda path: flipped(path, 1000),
    "a shape": lambda path: flipped(path, 60),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "another file": lambda path: path.write_text("<html>not found</html>"),
    "a pickle": lambda path: np.save(path, np.array([{}], dtype=object)),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("harm", DAMAGE.values(), ids=list(DAMAGE))
def test_damage_is_named_and_the_same_file_made_anew(
    pets: Task, harm: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    path = split_files(pets)["owner"][0]
    whole = path.read_bytes()
    harm(path)
    capsys.readouterr()
    prepare_splits(pets)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{path} is damaged (" in said
    assert path.read_bytes() == whole
    prepare_splits(pets)
    assert capsys.readouterr().err == ""


def test_a_description_that_is_damaged_is_made_anew(pets: Task) -> None:
    (path,) = split_files(pets)["owner"][0].parent.glob("*.json")
    whole = path.read_bytes()
    no_files = json.dumps(json.loads(whole) | {"files": {}}).encode()
    other = (whole.replace(b"-owner-x.npy", name) for name in (b"/../owner-x.npy", b"\\u0000.npy"))
    for content in (b"", b"[]", whole[:-9], no_files, *other):
        path.write_bytes(content)
        prepare_splits(pets)
        assert path.read_bytes() == whole


def test_a_file_that_is_not_the_jobs_leaves_it_to_the_next_run(root: Path, pets: Task, tmp_path: Path) -> None:
    profile, registry = load_profile(str(PROFILE)).with_options(task=pets.name), Registry.discover()
    plan = make_plan(profile, select_schemes("rose", registry), select_attacks("none", registry), {})
    job = next(job for job in plan.jobs if job.kind == "null")
    split_files(pets)["owner"][0].write_bytes(b"")
    outcome = execute(job, "make", {}, {"root": str(tmp_path / "results"), "device": "cpu"}, None)
    assert outcome["status"] == "killed"
    assert outcome["reason"].endswith("bench run makes them anew")
    with pytest.raises(BenchError, match="have changed"):
        load_split(pets, "owner", "0" * 64)


PREPARE = """
import sys
from benchmark.data import prepared, tasks

prepared.prepare_splits(tasks.find_task("folder:pets:16"))
print("torch" in sys.modules)
"""


def test_pictures_that_change_at_equal_size_and_time_are_noticed(root: Path) -> None:
    """Each look in a process of its own, as commands are: within one, a folder is listed once."""

    def look() -> tuple[set[str], str]:
        done = subprocess.run([sys.executable, "-c", PREPARE], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{'preparing' in done.stderr}\n"  # torch is for those who read
        return {path.name for path in (root / "prepared").glob("folder-*/*.npy")}, done.stderr

    first, said = look()
    assert "preparing" in said
    again, said = look()
    assert again == first
    assert "preparing" not in said
    path = root / "pets" / "train" / "cat" / "000.png"
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(content)
    again, said = look()
    assert again == first  # written anew with the same content: read, and found to be the same
    assert "preparing" not in said
    dogs = (root / "pets" / "train" / "dog").iterdir()
    path.write_bytes(next(dog.read_bytes() for dog in dogs if dog.stat().st_size == before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second, said = look()
    assert "preparing" in said
    assert len(second) == len(first) == 8  # what was made of the old pictures is gone
    assert not second & first


def test_pictures_that_change_while_they_are_read_stop_the_command(root: Path, monkeypatch) -> None:
    from benchmark.data import rows

    def touched(path: Path, mode: str) -> Image.Image:
        os.utime(path)
        return Image.new(mode, (16, 16))

    monkeypatch.setattr(rows, "picture", touched)
    with pytest.raises(BenchError, match="changed while they were read: run the same command again"):
        prepare_splits(find_task("folder:pets:16"))


def _prepare(name: str, gate: object) -> None:
    gate.wait()  # type: ignore[attr-defined]
    prepare_splits(find_task(name))


def test_runs_that_prepare_the_same_at_once_make_it_once(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(3)
    runs = [context.Process(target=_prepare, args=("folder:pets:16", gate)) for _ in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join(60)
    assert [one.exitcode for one in runs] == [0, 0, 0]
    assert capfd.readouterr().err.count("preparing its images once") == 1
    assert len(load(find_task("folder:pets:16")).owner) == 88


def test_what_a_killed_run_left_is_removed(root: Path, pets: Task) -> None:
    folder = split_files(pets)["owner"][0].parent
    (folder / ".half.npy.1.tmp").write_bytes(b"half")
    split_files(pets)["owner"][0].unlink()
    prepare_splits(pets)
    assert not list(folder.glob(".*"))


CLOSED = """
import pathlib
from benchmark.data import splits, tasks

def closed(path):
    raise PermissionError(13, "Permission denied", str(path))

pathlib.Path.iterdir = closed
task = tasks.find_task("folder:pets:16")
print(task.owner, len(splits.load_split(task, "thief")))
"""


def test_a_process_that_may_not_look_into_the_folder_finds_its_images(pets: Task) -> None:
    """Such as a thief's, to whom the pictures of the others are closed."""
    done = subprocess.run([sys.executable, "-c", CLOSED], capture_output=True, text=True, check=False)
    assert done.stdout == "88 11\n", done.stderr
    for path in split_files(pets)["owner"][0].parent.glob("*.json"):
        path.unlink()
    done = subprocess.run([sys.executable, "-c", CLOSED], capture_output=True, text=True, check=False)
    assert "can't be read (Permission denied): mend it" in done.stderr


def unwritable(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """As on a read-only disk, also for root, whom the bits of a folder don't stop."""
    import errno

    real = Path.mkdir

    def mkdir(path: Path, *args: object, **named: object) -> None:
        if any(path.is_relative_to(folder) for folder in folders):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        real(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", mkdir)


def test_a_root_that_can_t_be_written_is_prepared_in_the_cache(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = find_task("folder:pets:16")
    with monkeypatch.context() as patched:
        unwritable(patched, root)
        prepare_splits(task)
        files = split_files(task)
        assert all(path.is_relative_to(tmp_path / "cache" / "watermark-bench") for path in files["owner"])
        assert len(load_split(task, "thief")) == 11
    prepare_splits(task)
    assert split_files(task) == files  # nothing to do, so it stays there
    files["owner"][0].unlink()
    prepare_splits(task)
    assert split_files(task)["owner"][0].is_relative_to(root)
    assert not any(path.exists() for both in files.values() for path in both)


def test_no_folder_that_can_be_written_is_one_sentence(root: Path, tmp_path: Path, monkeypatch) -> None:
    unwritable(monkeypatch, tmp_path)
    with pytest.raises(BenchError, match=r"can't be written \(Read-only file system\): free some space, or give"):
        prepare_splits(find_task("folder:pets:16"))


def test_embed_finds_its_data_in_another_root(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_ROOT, str(tmp_path / "nowhere"))
    text = PROFILE.read_text().replace('"digits"', '"folder:pets:16"').replace("epochs = 5", "epochs = 1")
    (tmp_path / "pets.toml").write_text(text)
    words = ("embed", "--scheme", "adi(n=5,k=5,epochs=1)", "--profile", str(tmp_path / "pets.toml"), "--seed", "1")
    code, _, sentence = bench_here(*words, "--out", str(tmp_path / "one"))
    assert code == 2
    assert "pets is missing" in sentence
    code, out, _ = bench_here(*words, "--out", str(tmp_path / "one"), "--data-root", str(root))
    assert code == 0, out
    assert (tmp_path / "one" / "model.safetensors").is_file()
