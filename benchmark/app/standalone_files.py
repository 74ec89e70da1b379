"""Models and keys as single files, outside any store: what a practitioner hands in. Nothing that is read runs code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError, message_of
from benchmark.execution.suspect_process import suspect_process
from benchmark.execution.walls import task_files, walls
from benchmark.files import MOST_TENSORS, content
from benchmark.planning.job import PluginSource
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import Registry, load
from benchmark.protocol.objects import Asked, Key, Service
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.training.device import device_of


@dataclass(frozen=True)
class ArtefactFile:
    """A file of tensors: its SHA-256, the job that its header names, and what it says it is."""

    path: Path
    sha256: str
    job: str
    type: str


def peek(path: Path) -> ArtefactFile:
    """What the file at `path` says it is. Raises BenchError unless it is a model or a key of this benchmark."""
    try:
        data = content(path, MOST_TENSORS)
        artefact = artefacts.read_header(data)
    except OSError as error:
        raise BenchError(f"{path} can't be read ({error.strerror or error}): give the path of a file") from error
    except (ValueError, BenchError) as error:
        what = "it is damaged, or was not written by `bench embed` or `bench run`"
        raise BenchError(f"{path} is no model and no key: {what}") from error
    return ArtefactFile(path, hashlib.sha256(data).hexdigest(), artefact.job, artefact.type)


def open_service(path: Path, scheme: Declaration, registry: Registry) -> Service:
    """The model in a file, rebuilt once to see that it can be, where the court may have the code that it needs.

    That is the scheme's, and of the `registry` the benchmark's own: other code is imported by no court (see `served`).
    Raises BenchError.
    """
    file = peek(path)
    if file.type != "Service":
        raise BenchError(f"{path} holds a key, not a model: give the model's file")
    load(scheme)
    with _rebuilt(path):
        service = artefacts.read_service(path, file.job, file.sha256)
        if not service.known:
            for plugin in (*registry.schemes, *registry.attacks):
                if plugin.origin == "built-in":
                    load(plugin)
        if (maker := str(service.net.spec.get("builder"))).startswith("file:"):
            raise BenchError(f"{path}: its net is made by {maker}, which is not here: ask the model.pt2 beside it")
        if service.known:
            for net in service.parts:
                net.module()
        return service


@contextmanager
def served(
    path: Path, service: Service, registry: Registry, device: str, root: Path, task: str, hidden: Sequence[Path]
) -> Iterator[Asked]:  # fmt: skip
    """The model in a file, ready to be asked: where it needs code of others, in a process shut in like a run's.

    It reads nothing of the store `root`, of the images of `task`, and of what is `hidden`.

    Raises BenchError where no plug-in knows how it is built.
    """
    if service.known:
        yield service.running(device_of(device))
        return
    plugins = *registry.schemes, *registry.attacks
    sources = [PluginSource(str(one.source), one.class_name, source_hash(one.source), False) for one in plugins]
    around = walls("suspect", root, task_files([task]), None, hidden=hidden)
    with suspect_process(device, around) as remote:
        with _rebuilt(path):
            remote.load(service, sources)
        yield remote


@contextmanager
def _rebuilt(path: Path) -> Iterator[None]:
    """A model from outside may fail in any way a constructor can: that is said in one sentence."""
    try:
        yield
    except BenchError:
        raise
    except Exception as error:
        hint = "it is damaged, or needs the --plugin that built it"
        raise BenchError(f"{path}: its model can't be rebuilt ({_short(error)}): {hint}") from error


def open_key(path: Path, scheme: Scheme, registry: Registry) -> Key:
    """The key in a file, of the scheme's own type. Raises BenchError for a damaged one and for another scheme's.

    Where it is another's, the benchmark's own schemes are imported, to say whose.
    """
    file = peek(path)
    if file.type == "Service":
        raise BenchError(f"{path} holds a model, not a key: give the key's file")
    if file.type != scheme.key_type.__name__:
        owners = [one.name for one in registry.schemes if one.origin == "built-in" and _key_type(one) == file.type]
        whose = f"of {' or '.join(owners)}" if owners else "of a scheme that is not installed"
        raise BenchError(f"{path} holds a key {whose}, not of {scheme.name}: name its own with --scheme")
    try:
        return artefacts.read_key(path, file.job, file.sha256, scheme.key_type)
    except Exception as error:  # fields from outside may not fit the type in any way
        raise BenchError(f"{path}: its key can't be read ({_short(error)}): it is damaged") from error


def _key_type(scheme: Declaration) -> str | None:
    try:
        return str(load(scheme).key_type.__name__)  # type: ignore[attr-defined]
    except BenchError:  # a plug-in that can't be imported is no answer
        return None


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {message_of(error, 120)}"
