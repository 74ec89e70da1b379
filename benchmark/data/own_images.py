"""The user's own pictures as tasks, `folder:NAME[:SIZE]` and `folder-pairs:NAME[:SIZE]`: where they lie, how many.

NAME is a folder in the data root, or a path; it may begin with `~` and hold spaces and colons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.data import class_folders
from benchmark.errors import BenchError

CLASSES, PAIRS = "folder:", "folder-pairs:"
SIZES = {CLASSES: 224, PAIRS: 64}  # pixels, where the name has none
LEAST_PICTURES = 100  # pictures to train on: a tenth is the thief's, and he holds out a tenth of that
SPLIT_WORDS = {"train", "training", "val", "valid", "validation", "test", "testing"}  # that mean a split, not a class


@dataclass(frozen=True)
class Named:
    """A name, read: one spelling for one folder. data_set: without the size. size: pixels of each side."""

    name: str
    data_set: str
    size: int

    @property
    def kind(self) -> str:
        return CLASSES if self.data_set.startswith(CLASSES) else PAIRS

    @property
    def folder(self) -> str:
        return self.data_set.removeprefix(self.kind)


@dataclass(frozen=True)
class Found:
    """What lies in a folder. parts: folders below it, inputs and targets in turn. test: 0 where none lie apart."""

    parts: tuple[str, ...]
    classes: int
    train: int
    test: int


def is_own(name: str) -> bool:
    return name.startswith((CLASSES, PAIRS))


def read_name(name: str) -> Named:
    """Raises BenchError for a name without a folder, or a size that can't be."""
    kind = CLASSES if name.startswith(CLASSES) else PAIRS
    folder, colon, size = name.removeprefix(kind).rpartition(":")
    if not (colon and size.isdecimal()):
        folder, colon, size = name.removeprefix(kind), "", str(SIZES[kind])
    step = 1 if kind == CLASSES else 4  # nets from image to image halve the sides twice
    if not folder.strip("/ ") or len(size) > 4 or not 8 <= int(size) <= 1024 or int(size) % step:
        shape = "" if step == 1 else ", SIZE a multiple of 4"
        raise BenchError(
            f"task {name!r}: write {kind}NAME or {kind}NAME:SIZE, such as {kind}photos:64 (8 to 1024 pixels{shape})"
        )
    try:
        data_set = f"{kind}{Path(folder).expanduser()}"
    except RuntimeError as error:  # no such user
        raise BenchError(f"task {name!r}: {folder} is no folder ({error}): write its path in full") from None
    return Named(f"{data_set}:{int(size)}" if colon else data_set, data_set, int(size))


def look(name: str, named: Named, root: Path) -> Found:
    """What is in the folder. Raises BenchError where it is no task; PermissionError where this process may not look."""
    folder = root / named.folder
    try:
        there = folder.is_dir()
    except PermissionError:
        raise
    except OSError as error:  # a name that is too long
        raise BenchError(f"task {name[:50]}…: its folder can't be looked at ({error.strerror})") from None
    if not there:
        raise BenchError(f"task {name}: {folder} is missing: a folder of pictures belongs there, or give its path")
    found = _classes(folder) if named.kind == CLASSES else _pairs(folder)
    if found.train < LEAST_PICTURES:
        raise BenchError(
            f"task {name}: {folder} holds {found.train} pictures to train on, and {LEAST_PICTURES} are needed: "
            "a tenth is the thief's, who holds out a tenth of that"
        )
    return found


def _classes(folder: Path) -> Found:
    """Subfolders of one class each, in train/ and val/, in train/ alone, or in the folder itself."""
    parts = _parts(folder, {"train": ("train",), "val": ("val",)}) or ("",)
    first, *others = (class_folders.classes(folder / part) for part in parts)
    if len(first) < 2:
        raise BenchError(
            f"{folder / parts[0]} holds {len(first) or 'no'} class{'' if len(first) == 1 else 'es'}, and two are "
            "needed: one subfolder of images per class belongs there"
        )
    for other in others:
        if alone := sorted(first.keys() ^ other.keys()):
            raise BenchError(
                f"{folder / parts[0]} and {folder / parts[1]} have different subfolders ({few(alone)} in one alone): "
                "each class needs both"
            )
    class_folders.refuse_doubles(path for part in parts for path in class_folders.classes(folder / part).values())
    train, *test = (len(class_folders.images(folder / part)) for part in parts)
    return Found(parts, len(first), train, sum(test))


def _pairs(folder: Path) -> Found:
    """Pictures of the same names in input/ and target/; train/ and val/ may lie above or below these."""
    parts = _parts(folder, {one: (f"{one}/input", f"{one}/target") for one in ("train", "val")})
    if not parts and (folder / "input").is_dir():
        below = _parts(folder / "input", {"train": ("/train",), "val": ("/val",)}) or ("",)
        parts = tuple(f"{side}{part}" for part in below for side in ("input", "target"))
    if missing := next((part for part in parts or ("input",) if not (folder / part).is_dir()), None):
        raise BenchError(f"{folder / missing} is missing: pictures belong there, of the same names in input and target")
    for side in (parts[::2], parts[1::2]):
        class_folders.refuse_doubles(folder / part for part in side)
    counts = []
    for before, after in zip(parts[::2], parts[1::2], strict=True):
        inputs, targets = (stems(folder / part) for part in (before, after))
        if alone := sorted(inputs.keys() ^ targets.keys()):
            raise BenchError(
                f"{folder / before} and {folder / after} have different pictures ({few(alone)} in one alone): "
                "each input needs its target, of the same name"
            )
        counts.append(len(inputs))
    train, *test = counts
    return Found(parts, 0, train, sum(test))


def pictures(folder: Path, kind: str, left_out: str) -> list[Path]:
    """The pictures of one folder of a task, in the order of its rows."""
    if kind == "image-to-image":
        return list(stems(folder).values())
    return [path for path, _ in class_folders.images(folder, left_out)]


def stems(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by name without ending, sorted by it. Raises BenchError where two have one name."""
    found: dict[str, Path] = {}
    for path in class_folders.files(folder):
        twin = found.setdefault(class_folders.name_in(folder, path.with_suffix("")), path)
        if twin is not path:
            raise BenchError(f"{twin} and {path.name} have one name with two endings: remove one")
    return dict(sorted(found.items()))


def _parts(folder: Path, wanted: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The folders for train and val, for train alone, or none. Raises BenchError where they are called otherwise."""
    there = {path.name for path in class_folders.classes(folder).values()}
    if missing := sorted(wanted.keys() - there):
        if stray := sorted(one for one in there - wanted.keys() if one.lower() in SPLIT_WORDS):
            raise BenchError(f"{folder / stray[0]} is no class: call the folder to train on train, and the judge's val")
        if missing == ["train"]:
            raise BenchError(f"{folder / 'train'} is missing: pictures to train on belong there, beside val")
    return tuple(part for name, parts in wanted.items() if name in there for part in parts)


def few(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
