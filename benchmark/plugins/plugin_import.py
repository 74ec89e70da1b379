"""Importing a plug-in and the files beside it, without their folder on the import path."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from benchmark.digest.modules import FIRST_PARTY, beside, in_plugin_folder, module_name, module_source
from benchmark.errors import BenchError


def module_of(source: Path) -> ModuleType:
    """The module of a plug-in's file, imported at most once under its `module_name`.

    Raises BenchError where its name would import somebody else's package, and whatever the file itself raises.
    """
    name = module_name(source)
    top = name.partition(".")[0]
    if top in FIRST_PARTY:
        spec, ours = importlib.util.find_spec(top), module_source(top)
        found = spec.origin if spec else None
        if found is None or Path(found).resolve() != ours:
            raise BenchError(f"`import {top}` finds {found or 'no module'} in place of {ours}: see bench doctor")
    return importlib.import_module(name)


class _Loader(SourceFileLoader):
    """Runs a file of a plug-in's folder, whose imports look beside it first.

    It neither reads nor leaves bytecode, which could be that of another text of the same second and length.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": partial(_import, module.__name__)}
        super().exec_module(module)


def _import(
    importer: str, name: str, globals: Mapping[str, Any] | None = None, locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (), level: int = 0,
) -> ModuleType:  # fmt: skip
    """What an import statement calls in the file of a plug-in's folder that is called `importer`."""
    full = None if level else beside(importer, name)
    if full is None:
        return builtins.__import__(name, globals, locals, fromlist, level)
    importlib.import_module(full)
    if fromlist:
        return builtins.__import__(full, globals, locals, fromlist)
    return sys.modules[full.removesuffix(name) + name.partition(".")[0]]


class _Finder:
    """Finds the files of plug-ins' folders, those included whose name ends in no `.py`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not in_plugin_folder(name):
            return None
        spec = PathFinder.find_spec(name, path)
        file = Path(*(path or ())[:1], name.rpartition(".")[2].replace(":", "."))
        if spec is None and file.is_file():
            return importlib.util.spec_from_file_location(name, file, loader=_Loader(name, str(file)))
        if spec and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.origin)
        return spec


sys.meta_path.insert(0, _Finder)
