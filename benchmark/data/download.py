"""Provides a task's files in the data root before any job starts: from archives there, or downloaded by torchvision."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmark.data import class_folders
from benchmark.data.sources import md5_of
from benchmark.data.tasks import Task, data_root
from benchmark.errors import BenchError


def provide(task: Task, *, offline: bool = False) -> None:
    """Download what is missing, with progress, or unpack archives that lie in the data root already.

    Files that are there are never touched: `Task.data_hash` checks them. Raises BenchError: offline and missing, no
    connection, a broken archive or image.
    """
    if not task.data_set:
        return
    data_set, root = task.source, data_root()
    if missing := list(data_set.missing(root)):
        if not data_set.torchvision:
            raise BenchError(
                f"task {task.name}: {missing[0]} is missing: one subfolder of images per class belongs there"
            )
        archives = [(root / name, md5) for name, md5 in data_set.archives.items()]
        there = all(path.is_file() and md5_of(path) == md5 for path, md5 in archives)
        by_hand = f"put {' and '.join(data_set.archives)} from {data_set.url} into {root}"
        if offline and not there:
            raise BenchError(
                f"task {task.name}: {missing[0]} is missing and --offline forbids to fetch it: "
                f"{by_hand}, or give their folder with --data-root"
            )
        verb = "unpacking" if there else f"fetching from {data_set.url}"
        _say(f"task {task.name}: {verb} into {root}: {data_set.torchvision}")
        try:
            from torchvision import datasets  # only here: a run with all its files starts without it

            root.mkdir(parents=True, exist_ok=True)
            getattr(datasets, data_set.torchvision)(root, download=True)
        except (OSError, RuntimeError, EOFError) as error:
            reason = f"{data_set.torchvision} could not be fetched ({' '.join(str(error).split())})"
            raise BenchError(f"task {task.name}: {reason}: {by_hand}") from error
    if data_set.images:
        _check_count(task, root)
        class_folders.prepare(task.data_set, data_set, task.shape[1], root, _say)


def _check_count(task: Task, root: Path) -> None:
    """Raise BenchError when an unpacked data set has more or fewer images than it is published with."""
    parts, left_out = [root / name for name in task.source.images], task.source.left_out
    classes = len(class_folders.classes(parts[0], left_out))
    count = sum(len(class_folders.images(part, left_out)) for part in parts)
    wanted = task.owner + task.thief + task.validation + task.test
    if (classes, count) != (task.classes, wanted):
        raise BenchError(
            f"task {task.name}: {parts[0]} holds {count} images of {classes} classes, not {wanted} of {task.classes}: "
            "remove it, and it is fetched anew"
        )


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
