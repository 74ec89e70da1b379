"""Finding plug-ins without importing them, and importing the ones that are needed."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from benchmark.digest.code_digest import module_name, module_source
from benchmark.errors import BenchError
from benchmark.plugins.parameters import Declaration, Origin, PluginRole, close_matches
from benchmark.plugins.source_reader import read_builders, read_declarations

PACKAGES = ("schemes", "attacks")
NETS = tuple(sorted((Path(__file__).parents[1] / "architectures").glob("*.py")))
GROUPS = ("watermark_bench.schemes", "watermark_bench.attacks")


@dataclass(frozen=True)
class Broken:
    """A plug-in that can't be used, and why. `path` is its file, or a module's name if there is no file."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Registry:
    """Every plug-in that was found, each role sorted by name, and what can't be used."""

    schemes: tuple[Declaration, ...]
    attacks: tuple[Declaration, ...]
    broken: tuple[Broken, ...] = ()

    @classmethod
    def discover(cls, plugins: Sequence[Path] = ()) -> Registry:
        """Look through the built-ins, the entry points and the files in `plugins`, in this order.

        A file that can't be read, or takes a name already taken, ends up whole in `broken`. In a file of
        `plugins` that is a BenchError: the user asked for it.
        """
        found: dict[tuple[PluginRole, str], Declaration] = {}
        builders = {name: path for path in NETS for name in read_builders(path)}
        broken: list[Broken] = []
        seen: set[Path] = set()
        for path, origin in [*_built_in_files(), *_entry_point_files(broken)]:
            if path in seen:
                continue
            seen.add(path)
            try:
                _add(found, builders, path, origin)
            except BenchError as error:
                broken.append(Broken(path, str(error)))
        for path in dict.fromkeys(plugin.resolve() for plugin in plugins):
            known = {key: one for key, one in found.items() if one.source == path}
            found.update({key: replace(one, origin="plugin") for key, one in known.items()})  # not trusted as built-in
            if not known:
                _add(found, builders, path, "plugin")
        ordered = sorted(found.values(), key=lambda declaration: declaration.name)
        schemes = tuple(declaration for declaration in ordered if declaration.role == "scheme")
        attacks = tuple(declaration for declaration in ordered if declaration.role == "attack")
        return cls(schemes, attacks, tuple(broken))

    def of(self, role: PluginRole) -> tuple[Declaration, ...]:
        return self.schemes if role == "scheme" else self.attacks

    def find(self, role: PluginRole, name: str) -> Declaration:
        """The scheme or attack of this name; raises BenchError with close matches."""
        for declaration in self.of(role):
            if declaration.name == name:
                return declaration
        for broken in self.broken:
            if broken.path.stem == name:
                raise BenchError(f"the {role} {name!r} can't be used: {broken.reason}")
        known = [declaration.name for declaration in self.of(role)]
        near = close_matches(name, known) or f"; there are {', '.join(known) or 'none'}"
        raise BenchError(f"no {role} is named {name!r}{near}")


def _built_in_files() -> Iterator[tuple[Path, Origin]]:
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder).glob("*.py")):
                yield path.resolve(), "built-in"


def _entry_point_files(broken: list[Broken]) -> Iterator[tuple[Path, Origin]]:
    for group in GROUPS:
        points = importlib.metadata.entry_points(group=group)
        for point in sorted(points, key=lambda point: (point.name, point.value)):
            module = point.value.partition(":")[0].strip()
            if source := module_source(module):
                yield source, "entry point"
            else:
                reason = f"the entry point {point.name!r} of {group} names the module {module!r}"
                broken.append(Broken(Path(module), f"{reason}, which has no source file here"))


def _add(
    found: dict[tuple[PluginRole, str], Declaration], builders: dict[str, Path], path: Path, origin: Origin
) -> None:
    """Add a file's plug-ins to `found` and its builders to `builders`, all or none."""
    declarations = read_declarations(path, origin)
    if not declarations and origin != "built-in":  # a built-in file may be a plain helper
        wanted = 'a class that derives from Scheme or Attack and says `name = "..."`'
        raise BenchError(f"{path}: no plug-in inside: write {wanted}")
    for one in declarations:
        if other := found.get((one.role, one.name)):
            taken = f"the {one.role} name {one.name!r} is taken by {other.source}"
            raise BenchError(f"{path}: {taken}: rename one of them")
    own_builders = read_builders(path)
    for name in own_builders:  # a court that knows two builders of one name could rebuild the wrong net
        if name in builders:
            raise BenchError(f"{path}: the builder name {name!r} is taken by {builders[name]}: rename one of them")
    found.update({(one.role, one.name): one for one in declarations})
    builders.update(dict.fromkeys(own_builders, path))


def load(declaration: Declaration) -> type:
    """Import a plug-in's file and return its class; raises BenchError with file and line when that fails."""
    return load_class(declaration.source, declaration.class_name)


def load_class(source: Path, class_name: str) -> type:
    """The class `class_name` of a plug-in file, for a process that knows nothing else of it.

    A file on the import path is imported under its own dotted name, any other under a name derived from its
    path; either way at most once. Raises BenchError with file and line when the import fails.
    """
    source = source.resolve()
    name = module_name(source)
    try:
        module = _import_file(source) if name is None else importlib.import_module(name)
    except (Exception, SystemExit) as error:
        where, what = f"{source}:{_failing_line(source, error)}", f"{type(error).__name__}: {error}"
        raise BenchError(f"{where}: the plug-in can't be imported: {what}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise BenchError(f"{source}: there is no class {class_name} inside after the import")
    return found


def _failing_line(source: Path, error: BaseException) -> int:
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append((error.filename, error.lineno))
    return next((line for name, line in reversed(lines) if line and Path(name).resolve() == source), 1)


def _import_file(source: Path) -> ModuleType:
    digest = hashlib.sha256(str(source).encode()).hexdigest()[:12]
    name = f"watermark_bench_plugin_{re.sub(r'[^A-Za-z0-9_]', '_', source.stem)}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    loader = importlib.machinery.SourceFileLoader(name, str(source))
    spec = importlib.machinery.ModuleSpec(name, loader, origin=str(source))
    spec.has_location = True  # gives the module its __file__
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses look their module up there
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
