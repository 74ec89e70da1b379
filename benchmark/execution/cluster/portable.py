"""A job on its way to another machine: its paths name files that travel with it, or modules that are installed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.digest.code_digest import code_files
from benchmark.digest.modules import in_plugin_folder, module_name, module_source
from benchmark.errors import BenchError
from benchmark.planning.job import Job, PluginSource

Files = dict[str, Path]  # by the path below the folder that a job is unpacked in, the file on this machine
_MODULE = "module "  # before the name of one that every machine has


def packed(job: Job) -> tuple[Job, Files]:
    """The job for another machine, and what it needs of this one's files beside the store and the images.

    These are the files of plug-ins that no package manager installed, with those beside them that they import by name,
    and the files that their parameters name. Raises BenchError where a plug-in's file is gone.
    """
    files: Files = {}
    sources: dict[str, PluginSource] = {}
    for role, source in job.sources.items():
        place, inside = _code(Path(source.path))
        sources[role] = replace(source, path=place)
        files |= inside
    payload = dict(job.payload)
    if payload.get("scheme"):
        payload["scheme"] = _with_files(payload["scheme"], files)
    if payload.get("stages"):
        payload["stages"] = [_with_files(stage, files) for stage in payload["stages"]]
    return replace(job, sources=sources, payload=payload), files


def unpacked(job: Job, folder: Path) -> Job:
    """The job that `packed` made another's, its files below `folder`. Raises BenchError where a module is missing."""
    sources = {role: replace(source, path=str(_found(source.path, folder))) for role, source in job.sources.items()}
    payload = dict(job.payload)
    if payload.get("scheme"):
        payload["scheme"] = _in_folder(payload["scheme"], folder)
    if payload.get("stages"):
        payload["stages"] = [_in_folder(stage, folder) for stage in payload["stages"]]
    return replace(job, sources=sources, payload=payload)


@cache
def _code(path: Path) -> tuple[str, Files]:
    """By which path or name a plug-in is found elsewhere, and the files that go there."""
    module = module_name(path)
    if not in_plugin_folder(module):
        return f"{_MODULE}{module}", {}
    path = path.resolve()
    own = module.count(".") - (path.name != "__init__.py")
    folder = path.parents[own]
    place = f"plugins/{_short(str(folder))}"
    there = {
        one: f"{place}/{one.relative_to(folder)}" for one in code_files(path) if in_plugin_folder(module_name(one))
    }
    return there[path], {name: one for one, name in there.items()}


def _found(place: str, folder: Path) -> Path:
    if not place.startswith(_MODULE):
        return folder / place
    module = place.removeprefix(_MODULE)
    source = module_source(module)
    if source is None:
        raise BenchError(f"the module {module} is not installed: install the same plug-ins on every node")
    return source


def _with_files(described: Mapping[str, Any], files: Files) -> dict[str, Any]:
    """What a payload says of a plug-in, the files that its parameters name among `files`."""
    parameters = dict(described["parameters"])
    for name, digest in described.get("files", {}).items():
        path = Path(parameters[name])
        place = f"given/{_short(digest)}/{path.name}"
        inside = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
        files |= {f"{place}/{one.relative_to(path).as_posix()}" if one != path else place: one for one in inside}
        parameters[name] = place
    return {**described, "parameters": parameters}


def _in_folder(described: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    parameters = dict(described["parameters"])
    return {
        **described,
        "parameters": parameters | {n: str(folder / parameters[n]) for n in described.get("files", ())},
    }


def _short(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
