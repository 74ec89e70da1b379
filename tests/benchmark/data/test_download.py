"""Fetching data: from archives, over the network, offline; damage in one sentence."""

from __future__ import annotations

import errno
import functools
import gzip
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import PROFILE, bench_here

from benchmark.data import sources
from benchmark.data.download import provide
from benchmark.data.sources import DATA_SETS
from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.errors import BenchError


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_ROOT, str(tmp_path))
    return tmp_path


def test_checksums_and_addresses_are_those_of_torchvision() -> None:
    from torchvision import datasets

    for name in ("cifar10", "cifar100"):
        ours, theirs = DATA_SETS[name], getattr(datasets, DATA_SETS[name].torchvision)
        listed = [*theirs.train_list, *theirs.test_list, [theirs.meta["filename"], theirs.meta["md5"]]]
        assert dict(ours.files) == {f"{theirs.base_folder}/{file}": md5 for file, md5 in listed}
        assert dict(ours.archives) == {theirs.filename: theirs.tgz_md5}
        assert theirs.url == ours.url + theirs.filename
    stl, theirs = DATA_SETS["stl10"], datasets.STL10
    listed = [*theirs.train_list, *theirs.test_list]
    assert stl.files.items() <= {f"stl10_binary/{file}": md5 for file, md5 in listed}.items()
    for name in ("mnist", "fashion-mnist"):
        ours, theirs = DATA_SETS[name], getattr(datasets, DATA_SETS[name].torchvision)
        published = {f"{ours.torchvision}/raw/{file}": md5 for file, md5 in theirs.resources}
        assert dict(ours.archives) == published
        assert ours.url in theirs.mirrors
    for ours in DATA_SETS.values():
        assert all(len(bytes.fromhex(md5)) == 16 for md5 in (*ours.files.values(), *ours.archives.values()))


def test_offline_names_the_file_and_where_its_archive_belongs(root: Path) -> None:
    with pytest.raises(BenchError) as error:
        provide(find_task("cifar10-small"), offline=True)
    assert str(error.value) == (
        f"task cifar10-small: {root}/cifar-10-batches-py/data_batch_1 is missing and --offline forbids to fetch it; "
        "cifar-10-python.tar.gz is not there: put cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/ into "
        f"{root}, or give their folder with --data-root"
    )
    assert not list(root.iterdir())


def test_a_run_without_its_data_stops_before_any_job(root: Path) -> None:
    words = ("run", "--profile", str(PROFILE), "--task", "mnist-small", "--offline", "--results", str(root / "results"))
    code, _, sentence = bench_here(*words, "--data-root", str(root))
    assert code == 2
    assert "train-images-idx3-ubyte is missing and --offline forbids" in sentence
    assert not (root / "results").exists()


@pytest.fixture
def mirror(fashion_mnist: Path) -> Iterator[str]:
    """A server on this machine with the published archives."""
    folder = fashion_mnist / "FashionMNIST" / "raw"

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_missing_files_are_downloaded_and_checked(
    root: Path, mirror: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(FashionMNIST, "mirrors", [mirror])
    task = find_task("fashion-mnist-small")
    provide(task)
    assert f"fetching from {DATA_SETS['fashion-mnist'].url}" in capsys.readouterr().err
    first = task.data_hash()
    stamps = [path.stat().st_mtime_ns for path in task.paths()]
    provide(task)
    assert [path.stat().st_mtime_ns for path in task.paths()] == stamps
    assert len(first) == 64


def test_no_connection_is_one_sentence(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(
        BenchError, match=r"MNIST could not be fetched \(.*refused.*\): put MNIST/raw/train-images"
    ) as e:
        provide(find_task("mnist-small"))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("form", ["packed", "unpacked"])
@pytest.mark.parametrize("harm", ["cut short", "one bit", "another one"])
def test_a_damaged_file_ends_the_run_with_one_sentence(root: Path, fashion_mnist: Path, harm: str, form: str) -> None:
    folder = root / "FashionMNIST" / "raw"
    shutil.copytree(fashion_mnist / "FashionMNIST" / "raw", folder)
    path = folder / "t10k-labels-idx1-ubyte.gz"
    if form == "unpacked":
        path = path.with_suffix("")
        path.write_bytes(gzip.decompress((folder / f"{path.name}.gz").read_bytes()))
    content = bytearray(path.read_bytes())
    if harm == "one bit":
        content[500] ^= 1
    other = gzip.compress(bytes(10_008)) if form == "packed" else bytes(10_008)
    path.write_bytes({"cut short": content[:-1], "one bit": content, "another one": other}[harm])
    code, _, sentence = bench_here(
        "run", "--profile", str(PROFILE), "--task", "fashion-mnist-small", "--data-root", str(root), "--offline",
        "--schemes", "adi", "--results", str(root / "results"),
    )  # fmt: skip
    assert code == 2
    assert sentence.startswith(f"task fashion-mnist-small: {path} ")
    assert sentence.endswith(": remove it, and it is fetched anew")
    assert path.is_file()
    assert not (root / "results").exists()


def test_an_archive_that_never_ends_is_read_to_its_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST", 1000)
    (root / "bomb.gz").write_bytes(gzip.compress(bytes(1 << 24)))
    (root / "plain").write_bytes(bytes(1001))
    for name in ("bomb.gz", "plain"):
        with pytest.raises(OSError, match="larger than"):
            sources.content(root / name)


def test_offline_names_each_archive_that_is_missing_or_damaged(root: Path, fashion_mnist: Path) -> None:
    shutil.copytree(fashion_mnist / "FashionMNIST", root / "FashionMNIST")
    folder = root / "FashionMNIST" / "raw"
    (folder / "train-images-idx3-ubyte.gz").unlink()
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"half")
    with pytest.raises(BenchError) as error:
        provide(find_task("fashion-mnist-small"), offline=True)
    assert "train-images-idx3-ubyte.gz is not there, train-labels-idx1-ubyte.gz is damaged: put" in str(error.value)
    assert "t10k" not in str(error.value).partition(": put")[0]


def test_archives_that_must_be_unpacked_where_nobody_may_write(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(datasets, "CIFAR10", refuse)
    with pytest.raises(BenchError, match=r"can't be written .*copy its archives into another folder, and give that"):
        provide(find_task("cifar10-small"))


def test_stl10_images_stand_upright(root: Path) -> None:
    from benchmark.data.torchvision_sets import read_stl10

    picture = np.arange(3 * 96 * 96, dtype=np.uint32).astype(np.uint8).reshape(3, 96, 96)
    (root / "X.bin").write_bytes(picture.transpose(0, 2, 1).tobytes())
    (root / "y.bin").write_bytes(bytes([10]))
    x, y = read_stl10(root / "X.bin", root / "y.bin")
    assert np.array_equal(x[0].numpy(), picture)
    assert y.tolist() == [9]


def test_a_plan_fetches_nothing_and_says_what_a_run_would_fetch(root: Path) -> None:
    words = ("plan", "--task", "mnist-small", "--schemes", "adi()", "--results", str(root / "results"))
    code, said, noted = bench_here(*words, "--data-root", str(root), "--attacks", "none")
    assert (code, "jobs   marked       1       0 finished" in said) == (0, True)
    assert "train-images-idx3-ubyte is not there yet: bench run fetches it from https://" in " ".join(noted.split())
    assert list(root.iterdir()) == []
