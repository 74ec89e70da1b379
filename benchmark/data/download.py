"""Provides a task's splits before any job starts: from files or archives in the data root, or what is downloaded."""

from __future__ import annotations

from pathlib import Path

from benchmark.data import class_folders, own_images
from benchmark.data.prepared import prepare_splits, say
from benchmark.data.shares import say_shares, say_surprises
from benchmark.data.sources import DATA_SETS, md5_of
from benchmark.data.tasks import Task, data_root
from benchmark.errors import BenchError, message_of, refused


def provide(task: Task, *, offline: bool = False, look_only: bool = False) -> None:
    """Prepare a task's splits; download what is missing, with progress, or unpack archives that are there already.

    Files that are there are never touched: `Task.data_hash` checks them. look_only: a data set that is missing is named
    and neither fetched nor unpacked. Raises BenchError: offline and missing, no connection, a broken archive or image.
    """
    if missing := task.missing():
        if look_only and task.source.torchvision:
            say(f"task {task.name}: {missing} is not there yet: bench run fetches it from {task.source.url}")
            return
        _fetch(task, missing, offline)
    if task.data_set in DATA_SETS and task.source.images:
        _check_count(task, data_root())
    own = own_images.is_own(task.name)
    if own:
        say_shares(task)
    prepare_splits(task)
    if own:
        say_surprises(task)


def _fetch(task: Task, missing: Path, offline: bool) -> None:
    data_set, root = task.source, data_root()
    if not data_set.torchvision:
        raise BenchError(f"task {task.name}: {missing} is missing: pictures belong there")
    by_hand = f"put {' and '.join(data_set.archives)} from {data_set.url} into {root}"
    faults = list(filter(None, (_fault(root / name, md5) for name, md5 in data_set.archives.items())))
    if offline and faults:
        raise BenchError(
            f"task {task.name}: {missing} is missing and --offline forbids to fetch it; {', '.join(faults)}: "
            f"{by_hand}, or give their folder with --data-root"
        )
    verb = f"fetching from {data_set.url}" if faults else "unpacking"
    say(f"task {task.name}: {verb} into {root}: {data_set.torchvision}")
    try:
        from torchvision import datasets  # only here: a run with all its files starts without it

        root.mkdir(parents=True, exist_ok=True)
        getattr(datasets, data_set.torchvision)(root, download=True)
    except (OSError, RuntimeError, EOFError) as error:
        reason = message_of(error)
        if refused(error):
            raise BenchError(
                f"task {task.name}: {root} can't be written ({error.strerror}), and its files belong there unpacked: "
                "copy its archives into another folder, and give that with --data-root"
            ) from error
        raise BenchError(
            f"task {task.name}: {data_set.torchvision} could not be fetched ({reason}): {by_hand}"
        ) from error


def _fault(archive: Path, md5: str) -> str:
    """What is wrong with an archive, in words; "" where it is the published one."""
    if not archive.is_file():
        return f"{archive.name} is not there"
    return "" if md5_of(archive) == md5 else f"{archive.name} is damaged"


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
