"""The normal form of a Python file: what of its text can change what it computes.

Left out are comments, docstrings, blank lines and the places of things; `pass`; the bodies of `if TYPE_CHECKING`;
`from __future__`; the texts of raised exceptions; the description that `parameter` takes; and the traits in which a
plug-in only describes itself (`PROSE_TRAITS`). Annotations of variables, and of functions without a decorator, are left
out as well: nothing reads them. Those of a class's fields stay, since a dataclass takes its fields from them, and those
of decorated functions stay, since a decorator such as `singledispatch.register` may read them.

Imports stand apart from the body, by the names they bind, so that a file that moves keeps the body of those that
import it. The form is the same under every version of Python that can run the file.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

PROSE_TRAITS = frozenset({"paper", "family", "item", "expected_failures", "expected_forgeries", "settings"})
_PLUGIN_BASES = frozenset({"Scheme", "Attack", "OracleAttack"})
_TYPE_MODULES = ("typing", "collections.abc")  # imported for annotations in the main, and free of side effects
_NO_MEANING = ("ctx", "kind", "type_comment", "type_ignores")
_WORDING = ast.Constant("")


@dataclass(frozen=True)
class Import:
    """One name that an import binds: `from module import name as local`, or `import module as local`.

    `local` is "" for `import a.b`, which binds a package and runs a module. `level` counts the leading dots.
    """

    local: str
    module: str
    name: str | None
    level: int = 0


@dataclass(frozen=True)
class NormalForm:
    """A file without its prose. `body` is the SHA-256 of all statements but the imports at the top level.

    `imports` are those at the top level, in no order that counts; `inner` those in functions and branches, in theirs.
    `defined`: the names that the top level binds without an import. `used`: the attributes that are taken of a name,
    None where the name is used in another way, too. `only_imports`: it has nothing but imports, `__all__` and
    `__version__`, which computes nothing.
    """

    body: str
    imports: tuple[Import, ...]
    inner: tuple[Import, ...]
    defined: frozenset[str]
    used: Mapping[str, frozenset[str] | None]
    only_imports: bool


@cache
def normal_form(source: bytes) -> NormalForm:
    """The normal form of a file's content, computed once per process. Raises SyntaxError."""
    parsed = ast.parse(source)
    tree = _Stripped(parsed).visit(parsed)
    used = _uses(tree)
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    inner = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Import | ast.ImportFrom)]
    return NormalForm(
        hashlib.sha256(json.dumps(_plain(body), sort_keys=True).encode()).hexdigest(),
        tuple(_bound(top, used)),
        tuple(_bound(inner, used)),
        frozenset(_names(body)),
        used,
        all(set(_names([node])) in ({"__all__"}, {"__version__"}) for node in body),
    )


def same_code(one: bytes, other: bytes) -> bool:
    """Whether two texts have one normal form; a text that is not Python is the same as itself alone."""
    try:
        return one == other or normal_form(one) == normal_form(other)
    except SyntaxError:
        return False


class _Stripped(ast.NodeTransformer):
    """Takes the prose out of a tree."""

    def __init__(self, tree: ast.Module) -> None:
        own = (one for one in ast.walk(tree) if isinstance(one, ast.Attribute))
        read = {one.attr for one in own if _last_name(one.value) in ("self", "cls")}
        self.prose = PROSE_TRAITS - read  # a trait that the code reads may decide what it does
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
            node.body = [one for one in node.body if not self._is_prose(one)]
        self.fields.update(node.body)
        return self.generic_visit(node)

    def _is_prose(self, node: ast.stmt) -> bool:
        return isinstance(node, ast.Assign | ast.AnnAssign) and self.prose.issuperset(_names([node]))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node in self.fields:
            return self.generic_visit(node)
        if node.value is None:
            return None
        return self.generic_visit(ast.Assign([node.target], node.value))

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
    """A tree as JSON: fields by name, without those that are empty, which differ between versions of Python."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if isinstance(node, ast.Constant):
        return ["Constant", type(node.value).__name__, ascii(node.value)]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return ["Import", sorted(one.asname or one.name for one in node.names)]
    if isinstance(node, ast.AST):
        fields = {
            name: _plain(value)
            for name in node._fields
            if name not in _NO_MEANING and (value := getattr(node, name, None)) is not None and value != []
        }
        return [type(node).__name__, fields]
    return node


def _bound(statements: Iterable[ast.Import | ast.ImportFrom], used: Mapping[str, object]) -> Iterator[Import]:
    for node in statements:
        for alias in node.names:
            local = alias.asname or alias.name
            if isinstance(node, ast.Import):
                yield Import(local if alias.asname or "." not in local else "", alias.name, None)
            elif node.module not in _TYPE_MODULES or local in used:
                yield Import(local, node.module or "", alias.name, node.level)


def _names(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that statements bind, those in branches included, those in functions and classes not."""
    for node in statements:
        if _is_definition(node):
            yield node.name  # type: ignore[attr-defined]
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            for one in ast.iter_child_nodes(node):
                if isinstance(one, ast.stmt | ast.excepthandler | ast.match_case):
                    yield from _names([one])  # type: ignore[list-item]
                else:
                    yield from (x.id for x in ast.walk(one) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store))


def _is_definition(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _uses(tree: ast.AST) -> dict[str, frozenset[str] | None]:
    attributes: dict[str, set[str]] = {}
    whole: set[str] = set()
    queue = [tree]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            attributes.setdefault(node.value.id, set()).add(node.attr)
        else:
            whole.update([node.id] if isinstance(node, ast.Name) else [])
            queue.extend(ast.iter_child_nodes(node))
    return {name: None if name in whole else frozenset(attributes[name]) for name in whole | attributes.keys()}


def _last_name(node: ast.expr) -> str:
    """`Attack` of `Attack` and of `contract.Attack`; the empty text for anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
