"""Nets and weights that a user brings, named by what they hold: a result's name has no path in it. No torch here."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from benchmark.architectures.catalogue import LIBRARIES, file_net
from benchmark.data.own_images import CLASSES, is_own
from benchmark.data.sources import DATA_SETS
from benchmark.data.tasks import TASKS
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.identity import content_hash
from benchmark.planning.job import PluginSource

BY_SHA256 = "sha256:"  # before the digest of weights that are not here
USUAL_SIZE = 224  # pixels that nets of other libraries are trained with
_CODE_DIGITS = 16


def net_name(architecture: str) -> str:
    """An architecture as payloads name it: a function of a file by the file's name and its code, not by its place."""
    found = file_net(architecture)
    if found is None or found.code:
        return architecture
    path = Path(found.path)
    return f"file:{path.name}:{found.function}#{_code(path)[:_CODE_DIGITS]}"


def host_source(architecture: str) -> PluginSource | None:
    """Where the function lies that makes the house net; None where the benchmark or a library makes it."""
    found = file_net(architecture)
    if found is None or found.code:
        return None
    path = Path(found.path).resolve()
    return PluginSource(str(path), found.function, _code(path), trusted=False, builder=net_name(architecture))


def _code(path: Path) -> str:
    if not path.is_file():
        raise BenchError(f"--host: {path} is missing: give the path of a Python file, file:PATH:FUNCTION")
    return source_hash(path.resolve())  # kept for the process, which may change its folder


def weights_digest(weights: str) -> str:
    """The SHA-256 of a file of weights; "" of no file. Raises BenchError where it can't be read."""
    if not weights or weights.startswith(BY_SHA256):
        return weights.removeprefix(BY_SHA256)
    path = Path(weights)
    try:
        seen = path.stat()
        return _digest(path, seen.st_size, seen.st_mtime_ns)
    except OSError as error:
        raise BenchError(f"--weights {path} can't be read ({error.strerror}): give the path of a file") from error


def weights_path(weights: str) -> str:
    """The whole path of a file of weights. Raises BenchError where they are only known by their digest."""
    if weights.startswith(BY_SHA256):
        raise BenchError(
            f"the weights with the SHA-256 {weights.removeprefix(BY_SHA256)[:12]}… are not here, and unmarked models "
            "begin with them: give --host-weights FILE, or put the file into the key's folder"
        )
    return str(Path(weights).absolute())


@cache
def _digest(path: Path, size: int, time: int) -> str:
    return content_hash(path)


def beside(path: str, folder: Path) -> str:
    """A path that a profile's file gives, which begins where the file lies."""
    return str(folder / Path(path).expanduser()) if path and not path.startswith(BY_SHA256) else path


def net_beside(architecture: str, folder: Path) -> str:
    """An architecture as a profile's file gives it."""
    found = file_net(architecture)
    return architecture if found is None or found.code else f"file:{beside(found.path, folder)}:{found.function}"


def data_task(data: str, architecture: str) -> str:
    """The task that --data names: a data set that there is, or a folder with one subfolder of images per class.

    FOLDER:SIZE says how large its images are made. Raises BenchError.
    """
    names = {one.lower().replace("-", ""): one for one in TASKS} | {
        one.torchvision.lower(): name for name, one in DATA_SETS.items() if one.torchvision and name in TASKS
    }
    if (known := names.get({"fmnist": "fashionmnist"}.get(data.lower(), data.lower().replace("-", "")))) is not None:
        return known
    if is_own(data):
        return data
    folder, _, size = data.rpartition(":")
    if not (folder and size.isdecimal()):
        folder, size = data, str(net_size(architecture))
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise BenchError(
            f"--data {data} is no folder and no data set: give a folder with one subfolder of images per class, or a "
            "task of `bench list`, such as cifar10"
        )
    return f"{CLASSES}{path}:{size}"


def net_size(architecture: str) -> int:
    """Pixels of each side of the images that a net wants: what its name ends with, or the usual size."""
    library, _, name = architecture.partition(":")
    said = re.search(r"_(\d{2,3})$", name) if library in LIBRARIES else None
    return int(said[1]) if said else USUAL_SIZE
