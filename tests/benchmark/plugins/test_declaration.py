"""Parameters are checked, filled in, and written as text that reads back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_files import PRUNE, only

from benchmark.errors import BenchError
from benchmark.plugins.parameters import parameter, read_value, split_text, write_value


def test_resolve_fills_orders_and_converts(tmp_path: Path) -> None:
    resolved = only(tmp_path, PRUNE).resolve({"note": "x", "amount": 1})
    assert list(resolved) == ["amount", "rounds", "mode", "verbose", "note"]
    assert resolved == {"amount": 1.0, "rounds": 1, "mode": "global", "verbose": False, "note": "x"}
    assert type(resolved["amount"]) is float


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"amuont": 0.5}, "no parameter 'amuont': did you mean 'amount'"),
        ({"zzz": 1}, "no parameter 'zzz': it takes amount"),
        ({"amount": 1.5}, "prune: amount must be at most 1, not 1.5"),
        ({"amount": -0.5}, "amount must be at least 0, not -0.5"),
        ({"amount": True}, "amount takes a number, not True"),
        ({"amount": float("nan")}, "amount takes finite numbers"),
        ({"amount": 10**400}, "amount takes a number"),
        ({"rounds": 2.0}, "rounds takes a whole number, not 2.0"),
        ({"rounds": True}, "rounds takes a whole number, not True"),
        ({"rounds": 0}, "rounds must be at least 1, not 0"),
        ({"verbose": 1}, "verbose takes true or false, not 1"),
        ({"mode": "layers"}, "mode is one of global, layer, not 'layers'"),
        ({"note": 5}, "note takes a text, not 5: write note='5'"),
    ],
)
def test_resolve_refuses(tmp_path: Path, overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(BenchError, match=words):
        only(tmp_path, PRUNE).resolve(overrides)


def test_negative_zero_is_zero(tmp_path: Path) -> None:
    assert repr(only(tmp_path, PRUNE).resolve({"amount": -0.0})["amount"]) == "0.0"


def test_read_and_write_parameters(tmp_path: Path) -> None:
    one = only(tmp_path, PRUNE)
    given = one.read("note='a, (b) = c', amount=.25,verbose=TRUE")
    assert given == {"amount": 0.25, "rounds": 1, "mode": "global", "verbose": True, "note": "a, (b) = c"}
    assert one.write(given) == "amount=0.25,mode=global,verbose=true,note='a, (b) = c'"
    assert one.read(one.write(given)) == given
    assert one.write(one.read("")) == "amount=0.5,mode=global"


@pytest.mark.parametrize("text", ["0.5", "amount", "=3", "amount=0.1,amount=0.2", "amount=", "amount=(1)", "note=a b"])
def test_parameters_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    with pytest.raises(BenchError):
        only(tmp_path, PRUNE).read(text)


@given(st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.text()))
def test_values_survive_the_text(value: int | bool | float | str) -> None:
    text = write_value(value)
    back = read_value(text)
    assert (type(back), back) == (type(value), value)
    assert split_text(f"a({text}),b", ",") == [f"a({text})", "b"]


@pytest.mark.parametrize("text", ["a(", "a)", ")(", "a((b)", "a'b", 'a("b)'])
def test_split_refuses_what_does_not_close(text: str) -> None:
    with pytest.raises(BenchError, match=r"unbalanced|closes"):
        split_text(text, ",")


def test_the_field_carries_what_the_declaration_reads() -> None:
    one = parameter(0.5, "share", low=0.0, high=1.0)
    assert one.default == 0.5
    assert one.metadata == {"doc": "share", "low": 0.0, "high": 1.0}
