"""Finding plug-ins without importing them, and importing the ones that are needed."""

from __future__ import annotations

import importlib
import importlib.metadata
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark.digest.modules import HOME, module_source
from benchmark.errors import BenchError
from benchmark.plugins import plugin_import
from benchmark.plugins.parameters import Declaration, Origin, PluginRole, close_matches
from benchmark.plugins.source_reader import read_builders, read_declarations

PACKAGES = ("schemes", "attacks")
NETS = tuple(sorted((Path(__file__).parents[1] / "architectures").glob("*.py")))
GROUPS = ("watermark_bench.schemes", "watermark_bench.attacks")
ByName = dict[tuple[PluginRole, str], Declaration]


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
        ours = [path.resolve() for package in PACKAGES for path in sorted((HOME / package).rglob("*.py"))]
        built_in = _built_in(*((path, _content(path)) for path in [*NETS, *ours]))
        found, builders, broken = dict(built_in[0]), dict(built_in[1]), list(built_in[2])
        seen = {*ours}
        for path in _entry_point_files(broken):
            if path not in seen:
                seen.add(path)
                _add_or_tell(found, builders, broken, path, "entry point")
        for path in dict.fromkeys(map(_resolved, plugins)):
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


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a zero byte
        raise BenchError(f"{str(path)!r} leads to no file: name one that holds a plug-in") from None


@lru_cache(2)
def _built_in(*files: tuple[Path, bytes]) -> tuple[ByName, dict[str, Path], list[Broken]]:
    """What the files of nets and plug-ins that lie beside the benchmark declare: read anew only where one changed."""
    found: ByName = {}
    builders = {name: path for path in NETS for name in read_builders(path)}
    broken: list[Broken] = []
    for path, _ in files[len(NETS) :]:
        _add_or_tell(found, builders, broken, path, "built-in")
    return found, builders, broken


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # whoever reads its declarations says so
        return b""


def _add_or_tell(found: ByName, builders: dict[str, Path], broken: list[Broken], path: Path, origin: Origin) -> None:
    try:
        _add(found, builders, path, origin)
    except BenchError as error:
        broken.append(Broken(path, str(error)))


def _entry_point_files(broken: list[Broken]) -> Iterator[Path]:
    points: set[tuple[str, str, str]] = set()
    for package in importlib.metadata.distributions():
        try:
            if "watermark_bench." in (package.read_text("entry_points.txt") or ""):
                points |= {(one.group, one.name, one.value) for one in package.entry_points if one.group in GROUPS}
        except Exception as error:  # whatever a damaged file makes of the parser
            where = Path(str(package.locate_file("")))
            reason = f"what a package in {where} says of its entry points can't be read ({error})"
            broken.append(Broken(where, f"{reason}: install it again"))
    for group, name, value in sorted(points):
        module = value.partition(":")[0].strip()
        if source := module_source(module):
            yield source
        else:
            reason = f"the entry point {name!r} of {group} names the module {module!r}, which has no source file here"
            broken.append(Broken(Path(module), f"{reason}: install its package again"))


def _add(found: ByName, builders: dict[str, Path], path: Path, origin: Origin) -> None:
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

    It is imported at most once, under its `module_name`. Raises BenchError with file and line when the import fails.
    """
    found = _loaded(source, class_name)
    if not isinstance(found, type):
        raise BenchError(f"{source.resolve()}: there is no class {class_name} inside after the import")
    return found


def load_function(source: Path, name: str) -> Callable[..., Any]:
    """What is called `name` in a file and can be called. Raises BenchError as `load_class` does."""
    found = _loaded(source, name)
    if not callable(found):
        raise BenchError(f"{source}: there is no function {name} inside after the import: write `def {name}(classes):`")
    return found


def _loaded(source: Path, name: str) -> object:
    source = source.resolve()
    try:
        module = plugin_import.module_of(source)
    except BenchError:
        raise
    except (Exception, SystemExit) as error:
        where, what = f"{source}:{_failing_line(source, error)}", f"{type(error).__name__}: {error}"
        raise BenchError(f"{where}: the plug-in can't be imported: {what}") from error
    return getattr(module, name, None)


def _failing_line(source: Path, error: BaseException) -> int:
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append((error.filename, error.lineno))
    return next((line for name, line in reversed(lines) if line and Path(name).resolve() == source), 1)
