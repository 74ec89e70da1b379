"""What an annotation says of a parameter, read from its syntax: nothing is run."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import Any

from benchmark.plugins.parameters import TYPES

CODE = object()  # what stands where a literal was wanted


@dataclass(frozen=True)
class Annotation:
    """See `benchmark.plugins.parameters.Parameter`."""

    type: str
    choices: tuple[Any, ...] = ()
    optional: bool = False
    many: bool = False


def read_annotation(node: ast.expr) -> Annotation | None:
    """The form that an annotation stands for: int, float, bool, str, Literal of one type, `int | None` (of a number or
    a bool: a text has ""), `tuple[int, ...]`. None for anything else.
    """
    if isinstance(node, ast.Name) and node.id in TYPES:
        return Annotation(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [side for side in (node.left, node.right) if literal(side) is not None]
        one = read_annotation(sides[0]) if len(sides) == 1 else None
        plain = one is not None and one.type != "str" and not (one.optional or one.many)
        return replace(one, optional=True) if one is not None and plain else None
    if isinstance(node, ast.Subscript) and last_name(node) == "Literal":
        choices = literal(node.slice)
        choices = choices if isinstance(choices, tuple) else (choices,)
        kinds = {type(choice).__name__ for choice in choices}
        return Annotation(kinds.pop(), choices) if len(kinds) == 1 and kinds <= set(TYPES) else None
    if isinstance(node, ast.Subscript) and last_name(node) == "tuple" and isinstance(node.slice, ast.Tuple):
        match node.slice.elts:
            case [item, ast.Constant(value=value)] if value is Ellipsis:
                one = read_annotation(item)
                return replace(one, many=True) if one is not None and not (one.optional or one.many) else None
    return None


def literal(node: ast.expr) -> Any:
    """The value of a literal; CODE for anything else."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return CODE


def last_name(node: ast.expr) -> str:
    """`Scheme` of `Scheme`, `wm.Scheme` and `wm.Scheme[Key]`; the empty text for anything else."""
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
