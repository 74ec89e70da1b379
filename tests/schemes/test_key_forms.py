"""The form of every registered scheme's key: each field in every way in which it can miss what it declares."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from test_contract import made, schemes

from benchmark.contract import Scheme
from benchmark.protocol.key_form import Form, forms
from benchmark.protocol.objects import Key


@pytest.fixture
def key(label: str, request: pytest.FixtureRequest) -> Key:
    """The key of a marked model."""
    scheme: Scheme = made(label)
    image = scheme.tasks[0] == "image-to-image"
    key: Key = request.getfixturevalue("image_lab" if image else "lab").embed(scheme).key
    return key


@schemes
def test_a_key_with_a_field_of_another_form_is_not_well_formed(key: Key, label: str) -> None:
    """Each field in turn, in every way in which it can miss what it declares: a refusal in one line, never a crash."""
    scheme: Scheme = made(label)
    tried = set()
    for name, what, value in misshapen(scheme, key):
        found = scheme.admissible(dataclasses.replace(key, **{name: value}))
        assert not found.well_formed, (name, what)
        assert not found.bound, (name, what)
        assert found.reason, (name, what)
        assert "\n" not in found.reason
        tried.add((name, what))
    for name, (hint, form) in forms(type(key)).items():
        ways = {"type"} | ({"dtype", "dimensions"} if hint is torch.Tensor else set())
        ways |= {"length"} if "length" in form else set()
        ways |= {"twice"} if form.get("distinct") else set()
        assert ways <= {what for one, what in tried if one == name}, name


def misshapen(scheme: Scheme, key: Key) -> Iterator[tuple[str, str, Any]]:
    """(field, what is wrong, a value): every field with its type, length, dtype, shape, items or values wrong."""
    shared = Counter(
        (word, isinstance(getattr(key, name), tuple))
        for name, (_, form) in forms(type(key)).items()
        for word in form.get("shape", ())
    )
    for name, (_, form) in forms(type(key)).items():
        value = getattr(key, name)
        yield name, "type", None
        if "length" in form:
            yield name, "length", value + value[:1]
        if form.get("distinct"):
            first = [value[0], *value[:-1]]
            yield name, "twice", torch.stack(first) if isinstance(value, torch.Tensor) else tuple(first)
        if isinstance(value, int) and "low" in form:
            yield name, "less", form["low"] - 1
        for place, one in enumerate(value if isinstance(value, tuple) else [value]):
            if not isinstance(one, torch.Tensor):
                continue
            bound = {
                axis
                for axis, word in enumerate(form.get("shape", ()))
                if isinstance(word, int) or hasattr(scheme, word) or shared[word, isinstance(value, tuple)] > 1
            }
            for what, wrong in spoiled(one, form, bound, getattr(key, form.get("below", ""), None)):
                yield name, what, (*value[:place], wrong, *value[place + 1 :]) if isinstance(value, tuple) else wrong


def spoiled(one: torch.Tensor, form: Form, bound: set[int], below: int | None) -> Iterator[tuple[str, torch.Tensor]]:
    """A tensor in all the ways in which it misses `form`; `bound`: the axes whose size is not free."""
    yield "dtype", one.to(torch.float64)
    yield "dimensions", one[None]
    for axis in bound:
        more = one.new_ones([1 if other == axis else size for other, size in enumerate(one.shape)])
        yield f"axis {axis}", torch.cat([one, more], axis)
    if not one.numel():
        return
    for what, value in (("less", form["low"] - 1 if "low" in form else None), ("more", below), ("NaN", float("nan"))):
        if value is not None and (what != "NaN" or one.is_floating_point()):
            wrong = one.clone()
            wrong.view(-1)[0] = value
            yield what, wrong
