"""The digest of code in a job's payload: it changes with what the code computes, and with nothing else.

A file counts in its normal form (`benchmark.normal_form`), together with what each of its imports binds. A first-party
import counts as (local name, the imported definition); a definition is known by the body of the file that holds it and
its own name, and is looked up through files that only pass it on, such as `benchmark.contract`. Any other import counts
as it is written. So neither the name nor the place of a first-party file enters, and files and imports are sorted: what
moves, is renamed or is offered in one place more keeps every digest. docs/identity.md gives examples.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from benchmark.identity import canonical
from benchmark.normal_form import Import, NormalForm, normal_form

FIRST_PARTY = ("benchmark", "schemes", "attacks")

# the numeric part, which decides every result: these files and all that they import, but for what is in NOT_NUMERIC
ENGINE = (
    "benchmark.execution.job_bodies",  # what every kind of job computes
    "benchmark.training.device",  # in which arithmetic
)
NOT_NUMERIC = {  # counted by the imported name alone, each for its reason
    "benchmark.errors": "the exception and the exit codes of a mistake",
    "benchmark.vocabulary": "words, and whether a release serves an attack: what is refused has no numbers",
    "benchmark.code_digest": "this file decides what a result is called, not what it is",
    "benchmark.data.sources": "which files a data set has: their content is in the payload's data hash",
    "benchmark.data.tasks": "declares tasks: every field is in the payload's data hash",
    "benchmark.planning.job": "carries the payload",
    "benchmark.plugins.parameters": "reads settings as written: a plug-in's are in the payload as values",
    "benchmark.plugins.registry": "finds and imports plug-ins, whose own code is in the payload",
    "benchmark.store.records": "keeps JSON, whose floats come back as they were",
}


@cache
def engine_hash() -> str:
    """SHA-256 over the numeric part, 64 hexadecimal digits: `engine` in every job's payload. Once per process."""
    return _digest(numeric_files().values())


def numeric_files() -> dict[Path, str]:
    """The files of the numeric part, each with its own digest."""
    return _files([source for one in ENGINE if (source := module_source(one))], FIRST_PARTY)


@cache
def source_hash(path: Path) -> str:
    """SHA-256 over a file and the first-party files that it runs, directly or not; 64 hexadecimal digits.

    First-party is everything under `benchmark`, `schemes`, `attacks` and the package the file itself belongs to.
    Imports are read from the source, also those inside functions; modules imported by a computed name don't count.
    Computed once per process. Raises OSError or SyntaxError when one of the files can't be read.
    """
    own = (module_name(path) or FIRST_PARTY[0]).split(".")[0]
    first, *others = _files([path.resolve()], tuple(dict.fromkeys((*FIRST_PARTY, own)))).values()
    return _digest([first, _digest(others)])


def _digest(entries: Iterable[str]) -> str:
    return hashlib.sha256(canonical(sorted(set(entries) - {""})).encode()).hexdigest()


def _files(paths: Sequence[Path], roots: tuple[str, ...]) -> dict[Path, str]:
    """The digest of each of `paths` and of every first-party file that it runs, with what its imports bind."""
    found: dict[Path, str] = {}
    queue = [(path, module_name(path)) for path in paths]
    for source, module in queue:
        if source not in found:
            found[source], runs = _entry(source, module, roots)
            for one in runs:
                parts = one.split(".")
                for end in range(1, len(parts) + 1):  # a module's own packages run before it does
                    name = ".".join(parts[:end])
                    if (inside := _source(name)) is not None:
                        queue.append((inside, name))
    return found


@cache
def _entry(source: Path, module: str | None, roots: tuple[str, ...]) -> tuple[str, frozenset[str]]:
    """A file's digest, imports included, and the modules it runs; "" for an empty file, such as an `__init__.py`."""
    form = _form(source)
    runs = {module} if module else set()
    bound: tuple[list[list[str]], list[list[str]]] = [], []
    for imports, into in zip((form.imports, form.inner), bound, strict=True):
        for one in imports:
            for local, definition, modules in _bindings(_absolute(one, source, module), form, roots):
                into.append([local, *definition])
                runs.update(modules)
    if form.only_imports and not form.imports:
        return "", frozenset(runs)
    bound[0].sort(key=lambda one: one[:1] if one[0] else one)  # where one name is bound twice, the last binding holds
    entry = canonical([form.body, *bound])
    return hashlib.sha256(entry.encode()).hexdigest(), frozenset(runs)


Definition = tuple[str, ...]  # what a name stands for, without the name and the place of a first-party file


def _bindings(
    one: Import, form: NormalForm, roots: tuple[str, ...]
) -> Iterator[tuple[str, Definition, tuple[str, ...]]]:
    """What an import binds: local name, definition, and the modules that run for it."""
    module = one.module if one.name is None else f"{one.module}.{one.name}"
    if one.module.split(".")[0] not in roots:
        yield one.local, ("as written", one.module, one.name or ""), ()
    elif one.name is not None and (found := _defined(one.module, one.name, roots)) is not None:
        yield one.local, *found
    elif attributes := form.used.get(one.local):
        for name in sorted(attributes):
            found = _defined(module, name, roots)
            yield f"{one.local}.{name}", *(found or _module(f"{module}.{name}"))
    else:
        yield one.local, *_module(module)


def _defined(module: str, name: str, roots: tuple[str, ...]) -> tuple[Definition, tuple[str, ...]] | None:
    """The definition behind `from module import name`, and the modules that run for it; None for a submodule."""
    if module in NOT_NUMERIC:
        return ("not numeric", name), ()
    source = _source(module)
    if source is None:
        return ("missing", module, name), ()
    form = _form(source)
    if name not in form.defined:
        for one in (_absolute(one, source, module) for one in form.imports if one.local == name):
            if one.name is not None and one.module.split(".")[0] in roots and one.module != module:
                found = _defined(one.module, one.name, roots) or _module(f"{one.module}.{one.name}")
                return found[0], found[1] if form.only_imports else (*found[1], module)
        if _source(f"{module}.{name}") is not None:
            return None
    return ("definition", form.body, name), (module,)


def _module(module: str) -> tuple[Definition, tuple[str, ...]]:
    if module in NOT_NUMERIC:
        return ("not numeric",), ()
    source = _source(module)
    return (("module", _form(source).body), (module,)) if source else (("missing", module), ())


@cache
def _form(source: Path) -> NormalForm:
    try:
        return normal_form(source.read_bytes())
    except SyntaxError as error:
        error.filename = str(source)
        raise


def _absolute(one: Import, source: Path, module: str | None) -> Import:
    """The import with its leading dots resolved; as written in a file that `import` can't find."""
    if not one.level or module is None:
        return one
    package = module.split(".") if source.name == "__init__.py" else module.split(".")[:-1]
    parents = package[: len(package) - one.level + 1]
    return Import(one.local, ".".join([*parents, *([one.module] if one.module else [])]), one.name)


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


_source = cache(module_source)


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
