"""The declared form of a key's fields, and what is wrong with a key that is not of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, Unpack, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

Sizes = dict[tuple[str, int | None], int]  # what a word stands for, by the place of a tuple in which it was read


class Form(TypedDict, total=False):
    """The form of one field: see `field`."""

    dtype: torch.dtype
    shape: tuple[str | int, ...]
    length: str | int
    low: int
    below: str
    distinct: bool
    unbound: str


def field(**form: Unpack[Form]) -> Any:
    """A field of a key with its form. Of a tuple of tensors, `dtype`, `shape` and `low` are those of each.

    dtype, shape: of a tensor; floats must be finite. A word in a shape is a size that all fields share, such as "n".
    The name of an integer parameter of the scheme stands for its value. Tuples share words place by place.
    length: of bytes or of a tuple, as a number or such a word.
    low, below: the least value of an integer or a tensor, and the integer field of the key below which values stay.
    distinct: no two rows of a tensor, or items of a tuple, are equal.
    unbound: why a key is refused in which this field is not the one that `Scheme.rebind` makes from its secret.
    """
    return dataclasses.field(metadata={"form": form})


def forms(key_type: Any) -> dict[str, tuple[Any, Form]]:
    """The type and the form of every field of a key type, in its order."""
    hints = get_type_hints(key_type)
    return {one.name: (hints[one.name], one.metadata.get("form", {})) for one in dataclasses.fields(key_type)}


def malformed(key: object, sizes: Mapping[str, int]) -> str | None:
    """The first thing in `key` that is not of the declared form, in words; None where all is.

    sizes: the values of words in shapes and lengths that are known beforehand.
    """
    known: Sizes = {(word, None): size for word, size in sizes.items()}
    return next(_structure(key, known), None) or next(_values(key), None)


def unbound(key: object, right: object) -> str | None:
    """Why `key` is not the `right` one, by the first field in which they differ; None where they are equal."""
    for name, (_, form) in forms(type(key)).items():
        pairs = zip(_each(name, getattr(key, name)), _each(name, getattr(right, name)), strict=True)
        if not all(_same(mine, its) for (*_, mine), (*_, its) in pairs):
            return form.get("unbound", f"{name} does not follow from the secret")
    return None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return one is other or torch.equal(one.cpu(), other.cpu())
    return one is other or bool(one == other)


def _structure(key: object, known: Sizes) -> Iterator[str]:
    """Wrong types, lengths, dtypes, shapes and sizes. What follows the first fault can't be relied on."""

    def fits(size: int, wanted: str | int, place: int | None = None) -> bool:
        return size == (known.setdefault((wanted, place), size) if isinstance(wanted, str) else wanted)

    def written(wanted: str | int, place: int | None = None) -> str:
        return str(known.get((str(wanted), place), wanted))

    for name, (hint, form) in forms(type(key)).items():
        value, kind = getattr(key, name), get_origin(hint) or hint
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            yield f"{name} is of type {type(value).__name__}, not {kind.__name__}"
        if "length" in form and not fits(len(value), form["length"]):
            unit = "bytes" if kind is bytes else "items"
            yield f"{name} has {len(value)} {unit}, not {written(form['length'])}"
        if isinstance(value, int) and "low" in form and value < form["low"]:
            yield f"{name} is {value}, less than {form['low']}"
        for here, place, one in _each(name, value):
            if kind is tuple and not isinstance(one, item := get_args(hint)[0]):
                yield f"{here} is of type {type(one).__name__}, not {item.__name__}"
            if "dtype" in form and one.dtype != form["dtype"]:
                yield f"{here} holds {one.dtype}, not {form['dtype']}"
            if "shape" in form:
                pairs = zip(one.shape, form["shape"], strict=False)
                if one.ndim != len(form["shape"]) or not all(fits(size, wanted, place) for size, wanted in pairs):
                    wanted = ", ".join(written(size, place) for size in form["shape"])
                    yield f"{here} has shape {tuple(one.shape)}, not ({wanted})"


def _values(key: object) -> Iterator[str]:
    """Values out of range, not finite, or given twice, in a key of the right structure."""
    for name, (_, form) in forms(type(key)).items():
        value = getattr(key, name)
        if form.get("distinct"):
            rows = [row.cpu().numpy().tobytes() for row in value] if isinstance(value, Tensor) else value
            if len(set(rows)) < len(rows):
                yield f"{name} holds the same item twice"
        for here, _, one in _each(name, value):
            if not isinstance(one, Tensor):
                continue
            if not bool(torch.isfinite(one).all()):
                yield f"{here} has NaN or infinity in it"
            if "low" in form and one.numel():
                least, most, end = int(one.min()), int(one.max()), getattr(key, form.get("below", ""), math.inf)
                if least < form["low"] or most >= end:
                    yield f"{here} holds values from {least} to {most}, not from {form['low']} to {end - 1}"


def _each(name: str, value: Any) -> list[tuple[str, int | None, Any]]:
    """The items of a tuple, or the value itself, each with its name and its place in the tuple."""
    if isinstance(value, tuple):
        return [(f"{name}[{place}]", place, one) for place, one in enumerate(value)]
    return [(name, None, value)]
