"""Tasks: real images, split once, disjoint, and named by their content."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.data.download import provide
from benchmark.data.splits import Data, as_bytes, as_float, load, load_split
from benchmark.data.tasks import DATA_ROOT, TASKS, find_task


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


def overlap(name: str) -> int:
    """How many images of the four parts are in more than one."""
    splits = load(find_task(name))
    parts = [
        rows(part) for part in (splits.owner, splits.thief, splits.test, load_split(find_task(name), "validation"))
    ]
    return sum(map(len, parts)) - len(set().union(*parts))


def test_fashion_mnist_is_read_out_of_its_archives(fashion_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_ROOT, str(fashion_mnist))
    small = find_task("fashion-mnist-small")
    provide(small, offline=True)
    check_splits("fashion-mnist-small")
    assert {path.suffix for path in (fashion_mnist / "FashionMNIST" / "raw").iterdir()} == {".gz"}
    assert overlap("fashion-mnist-small") == 0
    assert len(load_split(small, "validation")) == small.validation == 1000
    assert len({small.data_hash(), find_task("fashion-mnist").data_hash(), find_task("digits").data_hash()}) == 3


def test_the_full_training_set_is_shared_out_to_the_last_image(
    fashion_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_ROOT, str(fashion_mnist))
    for name in ("fashion-mnist", "fashion-mnist-whole", "fmnist5-whole"):
        provide(find_task(name), offline=True)
        splits, held_out = load(find_task(name)), load_split(find_task(name), "validation")
        whole = 6_000 * find_task(name).classes
        assert len(splits.owner) + len(splits.thief) + len(held_out) == whole
        assert len(splits.test) == whole // 6


def test_fmnist5_is_the_first_five_classes_in_three_channels(
    fashion_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_ROOT, str(fashion_mnist))
    provide(find_task("fmnist5-small"), offline=True)
    check_splits("fmnist5-small")
    x = load(find_task("fmnist5-small")).owner.x
    assert torch.equal(x[:, :1].expand(-1, 3, -1, -1), x)


def test_cifar10_is_read_as_torchvision_gives_it(cifar10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CIFAR10

    monkeypatch.setenv(DATA_ROOT, str(cifar10))
    provide(find_task("cifar10-small"), offline=True)
    check_splits("cifar10-small")
    assert overlap("cifar10-small") == 0
    task = find_task("cifar10-whole")
    splits = load(task)
    assert [len(splits.owner), len(splits.thief), len(splits.test)] == [45_000, 0, 10_000]
    published = CIFAR10(cifar10, train=True)
    pairs = zip(published.data, published.targets, strict=True)
    theirs = {image.transpose(2, 0, 1).tobytes() + bytes([label]) for image, label in pairs}
    assert rows(splits.owner.take(torch.arange(500))) <= theirs
