"""What a file is called and where a module lies, found without running anything.

The benchmark's own packages lie beside each other, and another `attacks` on the import path never stands for theirs. A
plug-in that no package manager installed belongs to a package made of its folder, so that it finds the files beside it
and nobody else does, and two plug-ins may each have a `helper.py`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from benchmark.errors import BenchError

FIRST_PARTY = ("benchmark", "schemes", "attacks")
HOME = Path(__file__).parents[2]
_FOLDER = "watermark_bench_plugin_"


def module_source(module: str) -> Path | None:
    """The source file of a dotted module name; None if there is none."""
    spec = _spec(module)
    origin = spec.origin if spec and spec.origin else ""
    return Path(origin).resolve() if origin.endswith(".py") else None


def _spec(module: str) -> ModuleSpec | None:
    top, *rest = module.split(".")
    try:  # only the top: a dotted name would import its parents
        spec = PathFinder.find_spec(top, [str(HOME)]) if top in FIRST_PARTY else importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return spec


def module_name(source: Path) -> str:
    """The dotted name under which a file is imported: its own if it is the benchmark's or installed, else one in the
    package of its folder, or of the folder that its outermost package lies in.
    """
    source = source.resolve()
    folder, packages = source.parent, list[str]()
    while (folder / "__init__.py").is_file():
        packages.insert(0, folder.name)
        folder = folder.parent
    usual = source.suffix == ".py" and "." not in source.stem
    last = source.stem if usual else source.name.replace(".", ":")
    name = ".".join(packages if packages and source.name == "__init__.py" else [*packages, last])
    own = name.partition(".")[0] in FIRST_PARTY
    if (own or any(folder.glob("*.dist-info"))) and module_source(name) == source:
        return name
    return f"{_package_of(folder)}.{name}"


def _package_of(folder: Path) -> str:
    """The name of a package that is a plug-in's folder, and runs nothing when it is imported."""
    name = _FOLDER + hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    if name not in sys.modules:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        sys.modules[name] = importlib.util.module_from_spec(spec)
    return name


def in_plugin_folder(module: str) -> bool:
    """Whether `module_name` put a module into the package of a plug-in's folder."""
    return module.startswith(_FOLDER)


def absolute(target: str, source: Path, importer: str) -> str:
    """The full name of what the file `source`, called `importer`, imports as `target`, which may begin with dots.

    Raises BenchError for more dots than there are packages.
    """
    if not target.startswith("."):
        return beside(importer, target) or target
    try:
        return importlib.util.resolve_name(
            target, importer if source.name == "__init__.py" else importer.rpartition(".")[0]
        )
    except ImportError:
        raise BenchError(f"{source}: the import of {target!r} leads out of the package that the file is in") from None


def beside(importer: str, module: str) -> str | None:
    """The full name of what `import module` finds in the folder of the plug-in file called `importer`; None for all
    else, also for whatever bears the name of a part of Python or of the benchmark.

    The folder goes before installed packages; its subfolders without an `__init__.py`, and the files beside one inside
    a package, come after them.
    """
    folder, top = importer.partition(".")[0], module.partition(".")[0]
    if not in_plugin_folder(folder) or top in (*FIRST_PARTY, "leaderboard", *sys.stdlib_module_names):
        return None
    for place in (folder, importer.rpartition(".")[0]):
        spec, other = _spec(f"{place}.{top}"), _spec(top)
        if spec and ((place == folder and spec.origin) or other is None or _places(other) == _places(spec)):
            return f"{place}.{module}"
    return None


def _places(spec: ModuleSpec) -> set[Path]:
    return {Path(one).resolve() for one in ([spec.origin] if spec.origin else spec.submodule_search_locations or ())}
