"""One reader for every file that a dataclass describes: profiles, reproductions, records, run files, cards, openings.

The dataclass declares names, types and defaults; `read` builds it from what TOML or JSON holds, or says in one sentence
which field is wrong and what was expected. Own code, since validation libraries name types where a person wants words,
and know no "did you mean".
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache, partial
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
        made: Described = _built(cls, table)
    except _Misfit as wrong:
        said = f"{where}{wrong}" if where else str(wrong).removeprefix(":").lstrip()
        said = said if len(said) < _LONGEST else f"{said[:_LONGEST]} […]"
        raise BenchError(followed(said, mend)) from None
    return made


def did_you_mean(name: str, known: Collection[str], otherwise: str = "known are", *, instead: str = "") -> str:
    """What to write in place of an unknown name: close ones, or else all that are known. instead: what else to do."""
    if close := get_close_matches(name[:100], known):
        return followed(f"did you mean {' or '.join(close)}?", instead and f"or {instead}")
    return f"{otherwise} {', '.join(sorted(known))}" + (f"; or {instead}" if instead else "")


def followed(said: str, more: str) -> str:
    """A sentence and what follows it behind a colon; behind a question as a sentence of its own."""
    if not more:
        return said
    return f"{said} {more[0].upper()}{more[1:]}" if said.endswith("?") else f"{said}: {more}"


class _Misfit(Exception):
    """What is wrong with a value; the text begins with what stands between the value's name and the sentence."""


Fit = Callable[[Any], Any]  # makes a value what a field takes; raises _Misfit


@cache
def _fit(hint: Any) -> Fit:
    """How a value becomes the type `hint`: put together once, since records are read by the hundred thousand."""
    origin, parts, described = _parts(hint)
    if described:
        return partial(_built, hint)
    if origin in (Union, UnionType):
        return _fit_either(hint, [part for part in parts if part is not NoneType])
    if origin in (list, tuple):
        return _fit_list(hint, origin, parts[0])
    if origin is Mapping:
        return _fit_table(hint, parts[1])
    return partial(_single, hint, frozenset(map(type, parts)), parts)


@cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """What a type is made of, and whether it is a description."""
    origin = get_origin(hint)
    origin = Mapping if isinstance(origin, type) and issubclass(origin, Mapping) else origin
    return origin, get_args(hint), is_dataclass(hint) or is_typeddict(hint)


@dataclass(frozen=True, slots=True)
class _Form:
    """What a description declares. fits: what each field takes; needed: those that must be there."""

    fits: Mapping[str, Fit]
    needed: frozenset[str]
    in_part: bool
    typed_dict: bool


@cache
def _form(cls: Any) -> _Form:
    hints = get_type_hints(cls, include_extras=True)
    if is_typeddict(cls):
        optional = {name: get_args(hint)[0] for name, hint in hints.items() if get_origin(hint) is NotRequired}
        fits = {name: _fit(hint) for name, hint in (hints | optional).items()}
        return _Form(fits, frozenset(hints.keys() - optional), in_part=False, typed_dict=True)
    needed = (one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING)
    fits = {one.name: _fit(hints[one.name]) for one in fields(cls)}
    return _Form(fits, frozenset(needed), getattr(cls, "in_part", False), typed_dict=False)


def _built(cls: Any, table: Any) -> Any:
    """A description from its table."""
    if type(table) is cls:
        return table
    if type(table) is not dict and not isinstance(table, Mapping):
        raise _misfit(cls, table)
    form = _form(cls)
    fits, names = form.fits, table.keys()
    if not names <= fits.keys():
        if not form.in_part:
            name = next(iter(names - fits.keys()))
            raise _Misfit(f": unknown key {reprlib.repr(name)}: {did_you_mean(name, fits)}")
        table = {name: table[name] for name in fits if name in table}
    if not names >= form.needed:
        missing = sorted(form.needed - names)
        raise _Misfit(f": {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    name, found = "", {}
    try:
        for name, value in table.items():
            found[name] = fits[name](value)
        return table if form.typed_dict else cls(**found)
    except _Misfit as wrong:
        raise _Misfit(f": {str(name)[:80]}{wrong}") from None
    except (ValueError, BenchError) as error:
        raise _Misfit(f": {error}") from None


def _fit_table(hint: Any, part: Any) -> Fit:
    fit = _fit(part)

    def fitted(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _misfit(hint, value)
        if part is Any:
            return value
        name, found = "", {}
        try:
            for name, one in value.items():
                found[name] = fit(one)
        except _Misfit as wrong:
            raise _Misfit(f": {str(name)[:80]}{wrong}") from None
        return found

    return fitted


def _fit_list(hint: Any, kind: type, part: Any) -> Fit:
    fit, alike = _fit(part), {part}

    def fitted(value: Any) -> Any:
        if kind is tuple and not isinstance(value, list | tuple):
            value = [value]
        if not isinstance(value, list | tuple):
            raise _misfit(hint, value)
        if set(map(type, value)) == alike:  # scores by the thousand
            return kind(value)
        one, found = None, []
        try:
            for one in value:
                found.append(fit(one))
        except _Misfit as wrong:
            raise _Misfit(f" {_item(one, len(found))[:80]}{wrong}") from None
        return kind(found)

    return fitted


def _fit_either(hint: Any, given: Sequence[Any]) -> Fit:
    fits, optional = [_fit(part) for part in given], len(given) < len(get_args(hint))

    def fitted(value: Any) -> Any:
        if value is None and optional:
            return None
        for fit in fits:
            try:
                return fit(value)
            except _Misfit:
                if len(fits) == 1:
                    raise
        raise _Misfit(f" must be {' or '.join(map(_expected, given))}, not {reprlib.repr(value)}")

    return fitted


def _single(hint: Any, kinds: frozenset[type], choices: tuple[Any, ...], value: Any) -> Any:
    """A text, a number or a truth, or one of the choices of a Literal, which are of these kinds."""
    if type(value) is hint or hint is Any:
        return value
    if hint is float and type(value) is int:
        return float(value)
    if value in choices and type(value) in kinds:
        return value
    raise _misfit(hint, value)


def _item(value: Any, number: int) -> str:
    """What a person calls an item of a list: its id, where it has one."""
    return str(value["id"])[:40] if isinstance(value, Mapping) and "id" in value else f"number {number}"


def _misfit(hint: Any, value: Any) -> _Misfit:
    return _Misfit(f" must be {_expected(hint)}, not {reprlib.repr(value)}")


def _expected(hint: Any) -> str:
    origin, parts, described = _parts(hint)
    if origin is Literal:
        return ("one of " if len(parts) > 1 else "") + ", ".join(str(part) or '""' for part in parts)
    return _WORDS[Mapping if described else origin or hint]
