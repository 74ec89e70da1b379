"""The digest of code in a job's payload: it changes with what the code computes, and with nothing else.

A file counts in its normal form (`normal_form`), together with what each of its imports binds. A first-party import
counts as (local name, imported definition). A definition is known by its own name and the body of the file it is
imported from; a file that has nothing but imports, such as `benchmark.contract`, is followed to where its names come
from. Any other import counts as it is written. So neither the name nor the place of a first-party file enters, and
files and imports are sorted: what moves, is renamed or is offered in one place more keeps every digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

from benchmark.digest.kept_forms import keep, kept_form
from benchmark.digest.modules import FIRST_PARTY, absolute, module_name, module_source
from benchmark.digest.normal_form import NormalForm, reading
from benchmark.identity import canonical

# the numeric part, which decides every result: these files and all that they import, but for what is in NOT_NUMERIC
ENGINE = (
    "benchmark.execution.job_bodies",  # what every kind of job computes
    "benchmark.training.device",  # in which arithmetic
)
NOT_NUMERIC = {  # counted by the imported name alone, each for its reason
    "benchmark": "offers Python programs the commands, each imported when it is asked for",
    "benchmark.errors": "the exception and the exit codes of a mistake",
    "benchmark.vocabulary": "words, and whether a release serves an attack: what is refused has no numbers",
    "benchmark.digest.code_digest": "this file decides what a result is called, not what it is",
    "benchmark.description": "says what is wrong with a file or a name: what it reads is in the payload",
    "benchmark.data.sources": "which files a data set has: their content is in the payload's data hash",
    "benchmark.data.tasks": "declares tasks: every field is in the payload's data hash",
    "benchmark.planning.job": "carries the payload",
    "benchmark.plugins.parameters": "reads settings as written: a plug-in's are in the payload as values",
    "benchmark.plugins.registry": "finds and imports plug-ins, whose own code is in the payload",
    "benchmark.store.secret": "reads and keeps the secret, whose hash is in the payload",
    "benchmark.files": "reads a file within limits, and writes it whole: its bytes are checked against their hash",
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

    First-party is everything under `benchmark`, `schemes`, `attacks` and the package the file itself belongs to, which
    for a plug-in that is not installed is its folder.
    Imports are read from the source, also those inside functions; modules imported by a computed name don't count.
    Computed once per process. Raises BenchError when one of the files can't be read.
    """
    first, *others = code_files(path).values()
    return _digest([first, _digest(others)])


def code_files(path: Path) -> dict[Path, str]:
    """The file and the first-party files that it runs, each with its own digest. Raises BenchError."""
    own = module_name(path).split(".")[0]
    return _files([path.resolve()], (*FIRST_PARTY, own))


def _digest(entries: Iterable[str]) -> str:
    return hashlib.sha256(canonical(sorted(set(entries) - {""})).encode()).hexdigest()


def _files(paths: Sequence[Path], roots: tuple[str, ...]) -> dict[Path, str]:
    """The digest of each of `paths` and of every first-party file that it runs, with what its imports bind."""
    found: dict[Path, str] = {}
    queue = [(path, module_name(path)) for path in paths]
    for source, module in queue:
        if source not in found:
            found[source], runs = _entry(source, module, roots)
            for one in (module, *runs):
                names = accumulate(one.split("."), lambda package, name: f"{package}.{name}")
                # a module's own packages run before it does
                queue += [(inside, name) for name in names if (inside := _source(name)) is not None]
    keep()
    return found


Definition = tuple[str, ...]  # what a name stands for, without the name and the place of a first-party file


@cache
def _entry(source: Path, module: str, roots: tuple[str, ...]) -> tuple[str, frozenset[str]]:
    """A file's digest, imports included, and the modules it runs; "" for an empty file, such as an `__init__.py`."""
    if module in NOT_NUMERIC:  # a package of what runs
        return "", frozenset()
    form = _form(source)
    bound: list[Definition] = []
    runs: set[str] = set()
    for one in form.imports:
        target, names = absolute(one.module, source, module), [one.name]
        if target.split(".")[0] in roots:
            if one.name and _source(f"{target}.{one.name}"):
                target, names = f"{target}.{one.name}", [""]
            if names == [""]:  # a module, of which what is used counts
                names = sorted(form.attributes.get(one.local, [""]))
        for name in names:
            definition, modules = _defined(target, name, roots)
            bound.append((one.local, *definition))
            runs.update(modules)
    if not form.body and not bound:
        return "", frozenset()
    bound.sort(key=lambda one: one[:1] if one[0] else one)  # where one name is bound twice, the last binding holds
    return hashlib.sha256(canonical([form.body, bound]).encode()).hexdigest(), frozenset(runs)


def _defined(module: str, name: str, roots: tuple[str, ...]) -> tuple[Definition, tuple[str, ...]]:
    """The definition behind `from module import name`, or the module where name is ""; and the modules that it runs."""
    if module.split(".")[0] not in roots:
        return ("as written", module, name), ()
    if module in NOT_NUMERIC:
        return ("not numeric", name), ()
    if name and _source(f"{module}.{name}"):
        return _defined(f"{module}.{name}", "", roots)
    source = _source(module)
    if source is None:
        return ("missing", module.rpartition(".")[2], name), ()  # compiled, perhaps
    form = _form(source)
    if name and not form.body:  # it only passes on what it imports
        for one in reversed(form.imports):
            if one.local == name:
                return _defined(absolute(one.module, source, module), one.name, roots)
    return ("definition", form.body, name), (module,)


@cache
def _form(source: Path) -> NormalForm:
    with reading(source):
        return kept_form(source.read_bytes())


_source = cache(module_source)
