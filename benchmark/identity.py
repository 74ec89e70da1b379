"""What a result's name is made of: canonical JSON, its SHA-256, the hash of code, and seeds of streams."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

FIRST_PARTY = ("benchmark", "schemes", "attacks")


def canonical(obj: object) -> str:
    """One text for one value: sorted keys, no spaces, ASCII, floats by `repr`; a tuple reads as a list.

    Raises ValueError for NaN and infinities, TypeError for everything JSON has no word for (subclasses of
    the JSON types too, so that a NumPy number never decides a name).
    """
    return json.dumps(_plain(obj), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(obj: object) -> object:
    if obj is None or type(obj) in (bool, int, str):
        return obj
    if type(obj) is float:
        if not math.isfinite(obj):
            raise ValueError(f"{obj!r} has no canonical form: only finite numbers do")
        return obj
    if isinstance(obj, list | tuple):
        return [_plain(item) for item in obj]
    if isinstance(obj, Mapping):
        if stray := [key for key in obj if type(key) is not str]:
            raise TypeError(f"the key {stray[0]!r} has no canonical form: only strings do")
        return {key: _plain(value) for key, value in obj.items()}
    raise TypeError(f"a {type(obj).__name__} has no canonical form: {obj!r}")


def job_id(payload: Mapping[str, object]) -> str:
    """The name of a job: SHA-256 over its canonical payload, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(payload).encode()).hexdigest()


def stream_seed(*parts: object) -> int:
    """A seed in [0, 2^63) for the random stream that `parts` name, such as (replicate, role, name, task)."""
    digest = hashlib.sha256(canonical(list(parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def content_hash(path: Path) -> str:
    """SHA-256 over a file's bytes, or over the relative names and bytes of all files in a folder; 64 digits.

    Raises OSError when there is nothing at `path`, or it can't be read.
    """
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    inside = sorted(one for one in path.rglob("*") if one.is_file())
    return hashlib.sha256(
        canonical([[one.relative_to(path).as_posix(), content_hash(one)] for one in inside]).encode()
    ).hexdigest()


def module_source(module: str) -> Path | None:
    """The source file of a dotted module name, found without importing anything; None if there is none."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)  # only the top: a dotted name would import its parents
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        is_source = not rest and spec.origin is not None and spec.origin.endswith(".py")
        return Path(str(spec.origin)).resolve() if is_source else None
    for folder in spec.submodule_search_locations:
        inside = Path(folder).joinpath(*rest)
        for candidate in (inside / "__init__.py", inside.with_name(inside.name + ".py")):
            if candidate.is_file() and (rest or candidate.name == "__init__.py"):
                return candidate.resolve()
    return None


def module_name(source: Path) -> str | None:
    """The dotted name by which `import` finds this very file; None outside the import path."""
    source = source.resolve()
    parts = [] if source.name == "__init__.py" else [source.stem]
    folder = source.parent
    while (folder / "__init__.py").is_file() or folder.name in FIRST_PARTY:
        parts.insert(0, folder.name)
        folder = folder.parent
    name = ".".join(parts)
    return name if name and module_source(name) == source else None


def source_hash(path: Path) -> str:
    """SHA-256 over a file and the first-party files it imports, directly or not; 64 hexadecimal digits.

    First-party is everything under `benchmark`, `schemes`, `attacks` and the package the file itself belongs
    to. Imports are read from the source, also those inside functions; what only a type checker imports and
    modules imported by a computed name don't count. Neither paths nor import order enter the hash. Computed
    once per process. Raises OSError or SyntaxError when one of the files can't be read.
    """
    return _source_hash(path.resolve())


@cache
def _source_hash(path: Path) -> str:
    own = module_name(path)
    roots = FIRST_PARTY if own is None else (*FIRST_PARTY, own.split(".")[0])
    found: dict[str, Path] = {}
    queue = [(own, path)]
    while queue:
        for module in _imported(*queue.pop()):
            source = module_source(module) if module.split(".")[0] in roots else None
            if source is not None and source != path and module not in found:
                found[module] = source
                queue.append((module, source))
    digests = [["", _digest(path)], *([module, _digest(found[module])] for module in sorted(found))]
    return hashlib.sha256(canonical(digests).encode()).hexdigest()


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _imported(module: str | None, path: Path) -> tuple[str, ...]:
    """The dotted names a file may import, each with its parent packages; attributes are among them."""
    names = {module or ""}  # a module's own packages run before it does
    for node in _run_nodes(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                if module is None:
                    continue
                package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
                parents = package[: len(package) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
    split = (name.split(".") for name in names if name)
    return tuple(sorted({".".join(parts[:end]) for parts in split for end in range(1, len(parts) + 1)}))


def _run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below `node` that can run: the body of `if TYPE_CHECKING:` is left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _name(child.test) == "TYPE_CHECKING":
            for statement in child.orelse:
                yield statement
                yield from _run_nodes(statement)
        else:
            yield child
            yield from _run_nodes(child)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
