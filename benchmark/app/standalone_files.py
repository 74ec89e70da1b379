"""Models and keys as single files, outside any store: what a practitioner hands in. Nothing that is read runs code."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.architectures.net import known
from benchmark.errors import BenchError
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import Registry, load
from benchmark.protocol.objects import Key, Service
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.store.reading import MOST_TENSORS, content


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


def open_service(path: Path, plugins: Sequence[Declaration], registry: Registry) -> Service:
    """The model in a file, rebuilt once to see that it can be.

    The code of `plugins` is imported first, and that of the whole `registry` only where a net names a builder
    that is still unknown. Raises BenchError.
    """
    file = peek(path)
    if file.type != "Service":
        raise BenchError(f"{path} holds a key, not a model: give the model's file")
    for plugin in plugins:
        load(plugin)
    try:
        service = artefacts.read_service(path, file.job, file.sha256)
        nets = (service.net, *service.filters)
        if not all(known(net.spec) for net in nets):
            for plugin in (*registry.schemes, *registry.attacks):
                load(plugin)
        for net in nets:
            net.module()
    except BenchError:
        raise
    except Exception as error:  # a spec from outside may fail in any way a constructor can
        hint = "it is damaged, or needs the --plugin that built it"
        raise BenchError(f"{path}: its model can't be rebuilt ({_short(error)}): {hint}") from error
    return service


def open_key(path: Path, scheme: Scheme, registry: Registry) -> Key:
    """The key in a file, of the scheme's own type. Raises BenchError for a damaged one and for another scheme's.

    Where it is another's, the code of the whole `registry` is imported, to say whose.
    """
    file = peek(path)
    if file.type == "Service":
        raise BenchError(f"{path} holds a model, not a key: give the key's file")
    if file.type != scheme.key_type.__name__:
        owners = [one.name for one in registry.schemes if _key_type(one) == file.type]
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


def _short(error: Any) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]}"
