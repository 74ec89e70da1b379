"""One reader for every file that a dataclass describes: profiles, reproductions, records, run files, cards, openings.

The dataclass declares names, types and defaults; `read` builds it from what TOML or JSON holds, or says in one sentence
which field is wrong and what was expected. Own code, since validation libraries name types where a person wants words,
and know no "did you mean".
"""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from benchmark.errors import BenchError

Described = TypeVar("Described")
_LONGEST = 500  # signs of a sentence, whatever names a file holds
_WORDS: dict[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", tuple: "a list",
    Mapping: "a table", dict: "a table",
}  # fmt: skip


def read(cls: type[Described], table: object, where: str = "", mend: str = "") -> Described:
    """`table` as a `cls`. where: what a person calls it, such as "profile mine.toml". mend: what to do if it is wrong.

    Fields are `str`, `int`, `float` (which a whole number serves), `bool`, `Any`, `Literal`, `X | None`, another
    description, `Mapping[str, X]`, `list[X]`, or `tuple[X, ...]`, for which a single X may stand. Those with a default
    may be left out. A dataclass with `in_part: ClassVar = True` leaves unread what it does not declare. A TypedDict is
    checked and returned as it is. `__post_init__` may raise ValueError or BenchError with a sentence about the values.
    Raises BenchError.
    """
    try:
        made: Described = _fitted(cls, table)
    except _Misfit as wrong:
        said = f"{where}{wrong}" if where else str(wrong).removeprefix(":").lstrip()
        said = said if len(said) < _LONGEST else f"{said[:_LONGEST]} […]"
        raise BenchError(f"{said}: {mend}" if mend else said) from None
    return made


def did_you_mean(name: str, known: Collection[str], otherwise: str = "known are") -> str:
    """What to write in place of an unknown name: close ones, or else all that are known."""
    close = get_close_matches(name[:100], known)
    return f"did you mean {' or '.join(close)}?" if close else f"{otherwise} {', '.join(sorted(known))}"


class _Misfit(Exception):
    """What is wrong with a value; the text begins with what stands between the value's name and the sentence."""


def _fitted(hint: Any, value: Any) -> Any:
    """`value` as the type `hint`. Raises _Misfit."""
    if type(value) is hint or hint is Any:
        return value
    origin, parts, described = _parts(hint)
    if described and isinstance(value, Mapping):
        return _built(hint, value)
    if origin in (Union, UnionType):
        return _either(parts, value)
    if origin is tuple and not isinstance(value, list | tuple):
        value = [value]
    if origin in (list, tuple) and isinstance(value, list | tuple):
        if set(map(type, value)) == {parts[0]}:  # scores by the thousand
            return origin(value)
        return origin(_named(parts[0], one, _item(one, number), " ") for number, one in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return value if parts[1] is Any else {name: _named(parts[1], one, name) for name, one in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if origin is Literal and value in parts and type(value) in map(type, parts):
        return value
    raise _Misfit(f" must be {_expected(hint)}, not {reprlib.repr(value)}")


@cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """What a type is made of, and whether it is a description."""
    origin = get_origin(hint)
    origin = Mapping if isinstance(origin, type) and issubclass(origin, Mapping) else origin
    return origin, get_args(hint), is_dataclass(hint) or is_typeddict(hint)


@cache
def _fields(cls: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The types of the fields that a description declares, and the names of those that must be there."""
    hints = get_type_hints(cls, include_extras=True)
    if is_typeddict(cls):
        optional = {name: get_args(hint)[0] for name, hint in hints.items() if get_origin(hint) is NotRequired}
        return hints | optional, frozenset(hints.keys() - optional.keys())
    needed = (one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING)
    return {one.name: hints[one.name] for one in fields(cls)}, frozenset(needed)


def _built(cls: Any, table: Mapping[str, Any]) -> Any:
    hints, needed = _fields(cls)
    if not table.keys() <= hints.keys():
        if not getattr(cls, "in_part", False):
            name = next(iter(table.keys() - hints.keys()))
            raise _Misfit(f": unknown key {reprlib.repr(name)}: {did_you_mean(name, hints)}")
        table = {name: table[name] for name in hints if name in table}
    if not needed <= table.keys():
        missing = sorted(needed - table.keys())
        raise _Misfit(f": {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    found = {name: _named(hints[name], value, name) for name, value in table.items()}
    if is_typeddict(cls):
        return table
    try:
        return cls(**found)
    except (ValueError, BenchError) as error:
        raise _Misfit(f": {error}") from None


def _named(hint: Any, value: Any, name: object, joint: str = ": ") -> Any:
    try:
        return _fitted(hint, value)
    except _Misfit as wrong:
        raise _Misfit(f"{joint}{str(name)[:80]}{wrong}") from None


def _item(value: Any, number: int) -> str:
    """What a person calls an item of a list: its id, where it has one."""
    return str(value["id"])[:40] if isinstance(value, Mapping) and "id" in value else f"number {number}"


def _either(parts: tuple[Any, ...], value: Any) -> Any:
    given = [part for part in parts if part is not NoneType]
    if value is None and len(given) < len(parts):
        return None
    for part in given:
        try:
            return _fitted(part, value)
        except _Misfit:
            if len(given) == 1:
                raise
    raise _Misfit(f" must be {' or '.join(map(_expected, given))}, not {reprlib.repr(value)}")


def _expected(hint: Any) -> str:
    origin, parts, described = _parts(hint)
    if origin is Literal:
        return ("one of " if len(parts) > 1 else "") + ", ".join(str(part) or '""' for part in parts)
    return _WORDS[Mapping if described else origin or hint]
