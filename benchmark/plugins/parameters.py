"""What a plug-in says about itself, read from its source with `ast`: the file is neither run nor imported."""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from benchmark.errors import BenchError

PluginRole = Literal["scheme", "attack"]
Origin = Literal["built-in", "entry point", "plugin"]

SETS = ("all", "grid", "standard", "auto")  # what no plug-in may be called, since --attacks gives it a meaning
Scalar = int | float | bool | str
TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}

_PIECE = re.compile(r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | . """, re.DOTALL | re.VERBOSE)
_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./:-]*")
SETTING = re.compile(r"(?P<name>[^()]*?)\s*(?:\((?P<arguments>.*)\))?", re.DOTALL)  # prune, or prune(amount=0.5)


def parameter(default: Any, doc: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A field of a plug-in: its default, what it means (with its unit), and its inclusive range."""
    return field(default=default, metadata={"doc": doc, "low": low, "high": high})


@dataclass(frozen=True)
class Parameter:
    """One parameter of a plug-in; `type` is a key of TYPES, `choices` is empty where any value goes.

    optional: it may be None, written `none`. many: it is a tuple of such values, written `1;2`; ranges bind each.
    """

    name: str
    type: str
    choices: tuple[Any, ...]
    default: Any
    doc: str = ""
    low: float | None = None
    high: float | None = None
    optional: bool = False
    many: bool = False

    @property
    def kind(self) -> str:
        """What it takes, in words: `int`, `float or none`, `list of int`, `global | layer`."""
        one = " | ".join(map(str, self.choices)) or self.type
        return f"{'list of ' if self.many else ''}{one}{' or none' if self.optional else ''}"

    def check(self, value: object) -> Any:
        """`value`, as this parameter's type; raises BenchError if type, range or choices forbid it."""
        if self.optional and value in (None, "none"):
            return None
        if self.many:
            return tuple(map(self._one, value if isinstance(value, tuple | list) else (value,)))
        return self._one(value)

    def _one(self, value: object) -> Any:
        if self.type == "float" and type(value) is int and abs(value) < 2**1000:
            value = float(value)
        if type(value) is not TYPES[self.type]:
            hint = f": write {self.name}={str(value)!r}" if self.type == "str" else ""
            takes = f"{_WORDS[self.type]}{' or none' if self.optional else ''}"
            raise BenchError(f"{self.name} takes {takes}, not {value!r}{hint}")
        if self.choices and value not in self.choices:
            allowed = ", ".join(write_value(choice) for choice in self.choices)
            raise BenchError(f"{self.name} is one of {allowed}, not {value!r}")
        if isinstance(value, float):
            if not math.isfinite(value):
                raise BenchError(f"{self.name} takes finite numbers, not {value!r}")
            value += 0.0  # -0.0 becomes 0.0: equal values get one name
        if isinstance(value, int | float):
            if self.low is not None and value < self.low:
                raise BenchError(f"{self.name} must be at least {self.low}, not {value!r}")
            if self.high is not None and value > self.high:
                raise BenchError(f"{self.name} must be at most {self.high}, not {value!r}")
        return value


@dataclass(frozen=True)
class Declaration:
    """A plug-in as its source declares it. `traits` holds its threat model, with the defaults filled in."""

    role: PluginRole
    name: str
    class_name: str
    doc: str
    traits: Mapping[str, Any] = field(hash=False)
    parameters: tuple[Parameter, ...]
    source: Path
    origin: Origin

    def resolve(self, overrides: Mapping[str, object]) -> dict[str, Any]:
        """Every parameter's value, in declaration order; raises BenchError for a wrong name or value."""
        known = [one.name for one in self.parameters]
        for name in overrides:
            if name not in known:
                hint = close_matches(name, known) or f": it takes {', '.join(known) or 'none'}"
                raise BenchError(f"{self.name} has no parameter {name!r}{hint}")
        try:
            return {one.name: one.check(overrides.get(one.name, one.default)) for one in self.parameters}
        except BenchError as error:
            raise BenchError(f"{self.name}: {error}") from None

    def read(self, text: str) -> dict[str, Any]:
        """The full parameters that `amount=0.5,mode=ftal` stands for; the empty text means the defaults."""
        try:
            given = read_arguments(text)
        except BenchError as error:
            raise BenchError(f"{self.name}({text}): {error}") from None
        return self.resolve(given)

    def expected(self, trait: Literal["expected_failures", "expected_forgeries"], parameters: object) -> str | None:
        """The declared reason why a fresh mark isn't found, or a forged claim stands, with these full parameters."""
        return next((reason for text, reason in self.traits[trait].items() if self.read(text) == parameters), None)

    @cached_property
    def _varied(self) -> set[str]:
        """The parameters in which the declared settings differ."""
        first, *others = (self.read(text) for text in self.traits["settings"])
        return {name for name in first if any(setting[name] != first[name] for setting in others)}

    def write(self, parameters: Mapping[str, Any]) -> str:
        """A short text that `read` turns into `parameters`.

        It names those that differ from their defaults, and those in which the declared settings differ.
        """
        shown = [one.name for one in self.parameters if one.name in self._varied or parameters[one.name] != one.default]
        return ",".join(f"{name}={write_value(parameters[name])}" for name in shown)


def close_matches(name: str, known: Iterable[str]) -> str:
    """`: did you mean 'prune'?`, or nothing where no known name is near."""
    near = difflib.get_close_matches(name, sorted(known), n=3)
    return f": did you mean {' or '.join(map(repr, near))}?" if near else ""


def first_few(names: Sequence[str]) -> str:
    """Three names at most, and how many more there are: for a sentence on one line."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def split_text(text: str, separator: str) -> list[str]:
    """`text` cut at each separator that stands outside parentheses and quotes; the parts are stripped."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(text):
        if piece in ("'", '"'):
            raise BenchError(f"{text!r} opens a quote and never closes it")
        depth += (piece == "(") - (piece == ")")
        if depth < 0:
            break
        if piece == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    if depth:
        raise BenchError(f"{text!r} has unbalanced parentheses: each ( needs one )")
    return [part.strip() for part in parts]


def read_arguments(text: str) -> dict[str, object]:
    """The parameters that `amount=0.5,mode=ftal` names."""
    given: dict[str, object] = {}
    for item in split_text(text, ",") if text.strip() else ():
        name, equals, value = (part.strip() for part in item.partition("="))
        if not (name and equals):
            raise BenchError(f"write each parameter as name=value, not {item!r}")
        if name in given:
            raise BenchError(f"{name} is given twice: keep one")
        given[name] = read_values(value)
    return given


def read_values(text: str) -> Scalar | tuple[Scalar, ...]:
    """A parameter's value, or several with a semicolon between each two: `1;2`. `1;` is a list of one, `;` is empty."""
    if len(parts := split_text(text, ";")) == 1:
        return read_value(text)
    return tuple(map(read_value, parts if parts[-1] else parts[:-1] if any(parts) else ()))


def read_value(text: str) -> Scalar:
    """One value: 3, 0.5, true, false, a bare word, or a quoted one (with Python's escapes)."""
    try:
        if text[:1] in ("'", '"'):
            return str(ast.literal_eval(text))
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    except (SyntaxError, ValueError):
        raise BenchError(f"{text[:60]!r} can't be read as a value") from None
    if _WORD.fullmatch(text):
        return text
    raise BenchError(f"{text!r} is no value: write a number, true, false or a word, quoted if it holds signs")


def write_value(value: Scalar | Sequence[Scalar] | None) -> str:
    """The text that `read_values` turns into `value`, without quotes where none are needed; `none` for None."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) and read_value(value) == value else repr(value)
    if isinstance(value, Sequence):
        return ";".join(map(write_value, value)) + (";" if len(value) < 2 else "")
    return repr(value)
