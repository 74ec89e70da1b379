"""The numeric part and the plug-ins as source: what a file imports, and the same file with one thing changed."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from benchmark.digest.code_digest import numeric_files
from benchmark.digest.modules import FIRST_PARTY, module_source

ROOT = Path(__file__).resolve().parents[3]
NUMERIC = [str(path.relative_to(ROOT)) for path, digest in sorted(numeric_files().items()) if digest]


def tree_of(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


@cache
def imported(name: str) -> frozenset[str]:
    """The first-party modules that a file imports, but for the type checker."""
    found: set[str] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in FIRST_PARTY:
            inside = {f"{node.module}.{one.name}" for one in node.names}
            found |= {one for one in inside if module_source(one)} or {str(node.module)}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names if one.name.split(".")[0] in FIRST_PARTY}
    return frozenset(found)


class Reworded(ast.NodeTransformer):
    """Other docstrings, other texts of exceptions, other descriptions of parameters and papers."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return ast.Expr(ast.Constant("Said in other words.\n\nAt length."))
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args = [
                ast.Constant("other words") if isinstance(one, ast.JoinedStr) or is_text(one) else one
                for one in node.exc.args
            ]
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if ast.unparse(node.targets[0]) in ("paper", "family") and is_text(node.value):
            node.value = ast.Constant("Somebody 2020")
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node.func).endswith("parameter"):
            node.args[1:2] = [ast.Constant("other words") for _ in node.args[1:2]]
        return self.generic_visit(node)


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def with_other_constant(name: str) -> str:
    """The file with a number, or else a text, changed: the first in a function, or else the first outside.

    With one constant more where it has none that counts. A plug-in keeps its traits: plans ask for it by its name, and
    others are words of a list.
    """
    tree = tree_of(name)
    traits = {id(one) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and "name" in assigned(node)
              for value in assigned(node).values() for one in ast.walk(value)}  # fmt: skip
    wording = {id(one) for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.Expr | ast.arg | ast.AnnAssign)
               for one in ast.walk(node.annotation if isinstance(node, ast.AnnAssign) else node)}  # fmt: skip
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    nodes = [*(one for function in functions for one in ast.walk(function)), *ast.walk(tree)]
    found = [one for one in nodes if isinstance(one, ast.Constant) and id(one) not in wording | traits]
    numbers = [one for one in found if type(one.value) in (int, float)]
    for one in [*numbers, *filter(is_text, found)][:1]:
        value = one.value
        if type(value) is float:  # a share stays one
            one.value = value / 2 or 0.5
        else:
            one.value = value + (1 if one in numbers else "x")
        return ast.unparse(tree)
    return f"{ast.unparse(tree)}\nCONSTANT = 1\n"


def assigned(node: ast.ClassDef) -> dict[str, ast.expr]:
    """What a class sets in its body, by name, without annotations."""
    plain = [one for one in node.body if isinstance(one, ast.Assign)]
    return {target.id: one.value for one in plain for target in one.targets if isinstance(target, ast.Name)}


def with_other_import(name: str, *, first_party: bool) -> str:
    """The file with the first name that it imports bound to something else; with one import more where it has none."""
    tree = tree_of(name)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module not in ("__future__", "typing", "collections.abc"):
            if (str(node.module).split(".")[0] in FIRST_PARTY) is first_party:
                node.names[0] = ast.alias("something_else", node.names[0].asname or node.names[0].name)
                return ast.unparse(tree)
        elif isinstance(node, ast.Import) and not first_party:
            node.names[0] = ast.alias("something_else", node.names[0].asname or node.names[0].name.split(".")[0])
            return ast.unparse(tree)
    tree.body.append(ast.ImportFrom("benchmark" if first_party else "somewhere", [ast.alias("something")], 0))
    return ast.unparse(tree)
