"""A task's splits in files of their own, one for each role: prepared before any job, opened by whom they are for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from benchmark.data import array_files
from benchmark.data.array_files import ArrayForm, DamagedArray, Description
from benchmark.data.sources import DataSet
from benchmark.data.tasks import Task
from benchmark.errors import BenchError

ROLES = ("owner", "thief", "test", "validation")
SIDES = ("x", "y")


def prepare_splits(task: Task) -> None:
    """Read the task's files into one file for each role and side, unless that was done and nothing has changed since.

    Every file is read once to the end, so that damage is found, and made again. Runs that share a data root wait for
    one another. Raises BenchError: a file that is missing or can't be read, no folder that can be written.
    """
    seen, data, shelf = task.last_seen(), task.data_hash(), task.shelf  # in this order, lest a change goes unnoticed
    if _fault(task, data, seen) is None:
        return
    with shelf.locked(say) as place:
        if (fault := _fault(task, data, seen)) is None:  # another run was faster
            return
        try:
            for stray in place.glob(".*.tmp"):  # of a run that was killed
                stray.unlink()
            files = _written(task, data, place, fault)
            if task.last_seen() != seen:
                raise BenchError(f"task {task.name}: pictures changed while they were read: run the same command again")
            shelf.describe(place, Description(task.declaration(), data, seen, files))
        except OSError as error:
            raise array_files.unwritable(place, error) from error


def _written(task: Task, data: str, place: Path, fault: str) -> Mapping[str, str]:
    """The files in `place` with their checksums, written unless they are there. Raises OSError."""
    found = task.shelf.find()
    if found and found[0] == place and _fault(task, data, found[1].last_seen) is None:
        return found[1].files  # the pictures were touched, and not changed
    from benchmark.data.rows import rows  # only here: with everything prepared, a run starts without torch

    say(f"task {task.name}: preparing its images once, in {place}{fault}")
    files: dict[str, str] = {}
    for role, pieces in rows(task).items():
        paths = [task.shelf.array(place, data, role, side) for side in SIDES]
        files |= array_files.save(paths, forms(task, role), pieces)
    return files


def _fault(task: Task, data: str, seen: str) -> str | None:
    """None where everything was prepared from these data, and is as it was written; else what a person should know."""
    found = task.shelf.find()
    if found is None:
        return ""
    place, known = found
    names = {task.shelf.array(place, data, role, side).name for role in ROLES for side in SIDES}
    if (known.task, known.data, known.last_seen, {*known.files}) != (task.declaration(), data, seen, names):
        return ""
    for name, sha256 in known.files.items():
        try:
            array_files.check(place / name, sha256)
        except DamagedArray as damaged:
            return f", for {place / name} is damaged ({damaged})"
    return None


def forms(task: Task, role: str) -> tuple[ArrayForm, ArrayForm]:
    """Shape and dtype of a role's images and of what is right for each."""
    images = (getattr(task, role), *task.shape), "uint8"
    return images, images if task.kind == "image-to-image" else (images[0][:1], "int64")


def arrays(task: Task, role: str, data: str | None = None) -> list[Path]:
    """The two files of a role. data: the data hash that they must have been made from.

    Raises BenchError where nothing is prepared, or it was made from other data.
    """
    found = task.shelf.find()
    if found is None or found[1].task != task.declaration() or data not in (None, found[1].data):
        raise BenchError(f"task {task.name}: its images are not prepared, or have changed: bench run prepares them")
    place, known = found
    return [task.shelf.array(place, known.data, role, side) for side in SIDES]


def split_files(task: Task) -> dict[str, list[Path]]:
    """The two files of each role, which hold nothing of another's. Raises BenchError where nothing is prepared."""
    return {role: arrays(task, role) for role in ROLES}


def description_file(task: Task) -> Path:
    """Where it says what the arrays were made from. Raises BenchError where nothing is prepared."""
    return arrays(task, "owner")[0].with_name(f"{task.shelf.reader}.json")


def source_files(task: Task) -> list[Path]:
    """The files and the folders of pictures that the splits are made of, and what lies there packed or unpacked beside.

    Raises BenchError where one is missing.
    """
    source, read = task.source if task.data_set else DataSet(), task.paths()
    beside = (task.folder / name for name in (*source.files, *source.archives))
    return [*read, *(path for path in beside if path not in read and path.exists())]


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
