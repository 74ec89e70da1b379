"""Bringing a task's files into the data root before any job starts: by torchvision, once, or from archives there."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from benchmark.data import class_folders
from benchmark.data.sources import DataSet
from benchmark.data.tasks import Task, data_root
from benchmark.errors import BenchError


def provide(task: Task, *, offline: bool = False) -> None:
    """Download what is missing, with progress, and unpack archives that lie in the data root already.

    Files that are there are never touched: `Task.data_hash` checks them. Raises BenchError in one sentence: offline
    and missing, no connection, a broken archive or image.
    """
    if not task.data_set:
        return
    data_set, root = task.source, data_root()
    if missing := list(data_set.missing(root)):
        if not data_set.torchvision:
            raise BenchError(
                f"task {task.name}: {missing[0]} is missing: one subfolder of images per class belongs there"
            )
        there = all(_sound(root / name, md5) for name, md5 in data_set.archives.items())
        if offline and not there:
            wanted = " and ".join(data_set.archives)
            raise BenchError(
                f"task {task.name}: {missing[0]} is missing and --offline forbids to fetch it: "
                f"put {wanted} from {data_set.url} into {root}, or give their folder with --data-root"
            )
        verb = "unpacking" if there else f"fetching from {data_set.url}"
        _say(f"task {task.name}: {verb} into {root}: {data_set.torchvision}")
        _by_torchvision(task.name, data_set, root)
    if data_set.images:
        _check_count(task, root)
        class_folders.prepare(task.data_set, data_set, task.shape[1], root, _say)


def _check_count(task: Task, root: Path) -> None:
    """Raise BenchError when an unpacked data set has more or fewer images than it is published with."""
    parts, left_out = [root / name for name in task.source.images], task.source.left_out
    found = (
        len(class_folders.classes(parts[0], left_out)),
        sum(len(class_folders.images(part, left_out)) for part in parts),
    )
    wanted = task.classes, task.owner + task.thief + task.validation + task.test
    if found != wanted:
        raise BenchError(
            f"task {task.name}: {parts[0]} holds {found[1]} images of {found[0]} classes, not {wanted[1]} of "
            f"{wanted[0]}: remove it, and it is fetched anew"
        )


def _sound(path: Path, md5: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5


def _by_torchvision(name: str, data_set: DataSet, root: Path) -> None:
    from torchvision import datasets  # only here: a run with all its files starts without it

    try:
        root.mkdir(parents=True, exist_ok=True)
        getattr(datasets, data_set.torchvision)(root, download=True)
    except (OSError, RuntimeError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise BenchError(
            f"task {name}: {data_set.torchvision} could not be fetched ({reason}): "
            f"put {' and '.join(data_set.archives)} from {data_set.url} into {root}"
        ) from error


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
