"""Tasks: real images, split once, disjoint, and named by their content."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest
import torch

from benchmark.data import Data, as_bytes, as_float, load
from benchmark.tasks import DATA_ROOT, TASKS, find_task


def rows(data: Data) -> set[bytes]:
    return {image.numpy().tobytes() + bytes([int(label)]) for image, label in zip(data.x, data.y, strict=True)}


def check_splits(name: str) -> None:
    task = find_task(name)
    splits = load(task)
    assert [len(part) for part in (splits.owner, splits.thief, splits.test)] == [task.owner, task.thief, task.test]
    for part in (splits.owner, splits.thief, splits.test):
        assert part.x.dtype == torch.uint8
        assert tuple(part.x.shape[1:]) == task.shape
        assert set(part.y.tolist()) == set(range(task.classes))
    mean, std = as_float(splits.owner.x).mean().item(), as_float(splits.owner.x).std().item()
    assert mean == pytest.approx(task.mean[0], abs=0.02)
    assert std == pytest.approx(task.std[0], abs=0.05)


def test_digits_are_split_into_disjoint_parts() -> None:
    check_splits("digits")
    splits = load(TASKS["digits"])
    owner, thief, test = rows(splits.owner), rows(splits.thief), rows(splits.test)
    assert not owner & thief
    assert not owner & test
    assert not thief & test


def test_pixels_keep_their_bytes() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(as_bytes(as_float(every)), every)


def test_fashion_mnist_is_read_from_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(os.environ.get("BENCH_DATA", "../shared/data")) / "FashionMNIST" / "raw"
    if not source.is_dir():
        pytest.skip("the Fashion-MNIST files are not here: set BENCH_DATA to a folder that has FashionMNIST/raw/*.gz")
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in source.glob("*.gz"):
        with gzip.open(packed) as file, (raw / packed.stem).open("wb") as out:
            shutil.copyfileobj(file, out)
    monkeypatch.setenv(DATA_ROOT, str(tmp_path))
    check_splits("fashion-mnist")
    assert find_task("fashion-mnist").data_hash() != find_task("digits").data_hash()
