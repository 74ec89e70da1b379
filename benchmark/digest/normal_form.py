"""The normal form of a Python file: what of its text can change what it computes.

Left out are comments, docstrings, blank lines and the places of things; `pass`; the bodies of `if TYPE_CHECKING`;
`from __future__`, `__all__` and `__version__`; the texts of raised exceptions; the description that `parameter` takes;
and the traits in which a plug-in only describes itself (`PROSE_TRAITS`). Annotations of variables, and of functions
without a decorator, are left out as well: nothing reads them. Those of a class's fields stay, since a dataclass takes
its fields from them, and those of decorated functions stay, since a decorator such as `singledispatch.register` may
read them.

Imports stand apart from the body, by the names they bind, so that a file that moves keeps the body of those that
import it. The form is the same under every version of Python that can run the file.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.errors import BenchError
from benchmark.files import MOST_SOURCE

PROSE_TRAITS = frozenset({"paper", "family", "item", "expected_failures", "expected_forgeries", "settings"})
_PLUGIN_BASES = ("Scheme", "TriggerScheme", "Attack", "OracleAttack")
_TYPE_MODULES = ("typing", "collections.abc")  # imported for annotations in the main, and free of side effects
_WORDING = ast.Constant("")


class Import(NamedTuple):
    """One name that an import binds: `from module import name as local`, or `import module as local`.

    `name` is "" where the module itself is bound, and `local` for `import a.b`, which binds its package; `module` keeps
    the leading dots of a relative import.
    """

    local: str
    module: str
    name: str


@dataclass(frozen=True)
class NormalForm:
    """A file without its prose.

    body: SHA-256 of all statements but the imports at the top level, in hexadecimal; "" where there are none, so that
    the file only passes on what it imports. imports: those at the top level first, then those in functions and
    branches, in their order. attributes: of each name that is used for nothing else, the attributes taken of it.
    """

    body: str
    imports: tuple[Import, ...]
    attributes: Mapping[str, frozenset[str]]


@cache
def normal_form(source: bytes) -> NormalForm:
    """The normal form of a file's content, computed once per process. Raises SyntaxError."""
    parsed = ast.parse(source)
    tree = _Stripped(parsed).visit(parsed)
    body = [_plain(node) for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    nodes = list(ast.walk(tree))  # once: a walk takes a fifth of all this
    names = Counter(node.id for node in nodes if isinstance(node, ast.Name))
    taken: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            taken[node.value.id].append(node.attr)
    return NormalForm(
        hashlib.sha256(ascii(body).encode()).hexdigest() if body else "",
        tuple(_imports(nodes, names)),
        {name: frozenset(found) for name, found in taken.items() if len(found) == names[name]},
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Around whatever reads a file as Python: what can be wrong with the file becomes a BenchError."""
    try:
        if path.is_dir():
            raise BenchError(f"{path} is a folder: name the file in it that holds the plug-in")
        if path.exists() and not path.is_file():  # a pipe or a device, which may never end
            raise BenchError(f"{path} is no regular file: name one that holds a plug-in")
        if path.exists() and path.stat().st_size > MOST_SOURCE:
            raise BenchError(f"{path} is larger than {MOST_SOURCE >> 10} KiB: name a file that holds a plug-in")
        yield
    except SyntaxError as error:
        cure = ": save it as UTF-8" if "'utf-8' codec" in str(error.msg) else ""
        raise BenchError(f"{path}:{error.lineno or 1}: this is not valid Python: {error.msg}{cure}") from None
    except (RecursionError, MemoryError):
        raise BenchError(f"{path}: its expressions are nested too deeply to be read") from None
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: the file can't be read: {getattr(error, 'strerror', None) or error}") from None


def same_code(one: bytes, other: bytes) -> bool:
    """Whether two texts have one normal form; a text that is not Python is the same as itself alone."""
    try:
        return one == other or normal_form(one) == normal_form(other)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a text from outside may be nested without end
        return False


class _Stripped(ast.NodeTransformer):
    """Takes the prose out of a tree."""

    def __init__(self, tree: ast.Module) -> None:
        # a trait that the code reads may decide what it does
        self.prose = PROSE_TRAITS - {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)}
        self.plugins = set(_PLUGIN_BASES)  # and the classes of this file that derive from them
        self.fields: set[ast.stmt] = set()

    def visit_If(self, node: ast.If) -> Any:
        if _last_name(node.test) == "TYPE_CHECKING":
            return self.generic_visit(ast.Module(node.orelse, [])).body  # type: ignore[attr-defined]
        return self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        return None if node.module == "__future__" else node

    def visit_Expr(self, node: ast.Expr) -> Any:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> Any:
        return None

    def visit_Assign(self, node: ast.Assign | ast.AugAssign) -> Any:
        return None if _assigned(node) in ("__all__", "__version__") else self.generic_visit(node)

    visit_AugAssign = visit_Assign

    def visit_Raise(self, node: ast.Raise) -> Any:
        if isinstance(node.exc, ast.Call):
            node.exc = _Unworded().visit(node.exc)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        if _last_name(node.func) == "parameter":
            node.args[1:2] = [_WORDING for _ in node.args[1:2]]
            node.keywords = [one for one in node.keywords if one.arg != "doc"]
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        bases = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
        if not self.plugins.isdisjoint(map(_last_name, bases)):
            self.plugins.add(node.name)
            node.body = [one for one in node.body if _assigned(one) not in self.prose]
        self.fields.update(node.body)
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node in self.fields:
            return self.generic_visit(node)
        return self.visit_Assign(ast.Assign([node.target], node.value)) if node.value else None

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Any:
        if not node.decorator_list:
            node.returns = None
            for one in ast.walk(node.args):
                if isinstance(one, ast.arg):
                    one.annotation = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef


class _Unworded(ast.NodeTransformer):
    """Puts one empty text for every text in what is raised."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return _WORDING if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.Constant:
        return _WORDING


def _plain(node: Any) -> Any:
    """A tree without the fields that are empty, which differ between versions of Python; of imports only the names."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "Import", sorted(map(_local, node.names))
    if isinstance(node, ast.AST):
        fields = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return type(node).__name__, fields
    return node


def _imports(nodes: Sequence[ast.AST], used: Mapping[str, int]) -> Iterator[Import]:
    """What the imports among a file's nodes bind, in the order of a walk: those at the top level first."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(_local(one), one.name, "") for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            wanted = (one for one in node.names if module not in _TYPE_MODULES or _local(one) in used)
            yield from (Import(_local(one), module, one.name) for one in wanted)


def _local(alias: ast.alias) -> str:
    return alias.asname or ("" if "." in alias.name else alias.name)


def _assigned(node: ast.stmt) -> str:
    """The one name that a statement assigns to; the empty text for anything else."""
    single = [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []
    targets = node.targets if isinstance(node, ast.Assign) else single
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _last_name(node: ast.expr) -> str:
    """`Attack` of `Attack` and of `contract.Attack`; the empty text for anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
