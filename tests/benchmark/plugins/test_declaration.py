"""Parameters are checked, filled in, and written as text that reads back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_files import PRUNE, only

from benchmark.errors import BenchError
from benchmark.plugins.parameters import parameter, read_values, split_text, write_value


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


VALUES = st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.text())


@given(st.one_of(VALUES, st.lists(VALUES, max_size=4).map(tuple)))
def test_values_survive_the_text(value: Any) -> None:
    text = write_value(value)
    back = read_values(text)
    assert (type(back), back) == (type(value), value)
    assert split_text(f"a({text}),b", ",") == [f"a({text})", "b"]


MANY = '''
@dataclass(frozen=True)
class Cut(Attack):
    """Cuts layers."""

    name = "cut"
    family = "cuts"
    kind = "removal"
    settings = ("", "layers=2", "layers=1;3,rate=none", "layers=;")

    layers: tuple[int, ...] = parameter((1, 2), "which", low=1)
    rate: float | None = parameter(0.5, "share; none: found by a search", high=1.0)
    steps: None | int = None
    words: tuple[Literal["a", "b"], ...] = ()
'''


def test_lists_and_what_may_be_missing(tmp_path: Path) -> None:
    one = only(tmp_path, MANY)
    assert one.read("") == {"layers": (1, 2), "rate": 0.5, "steps": None, "words": ()}
    given = one.read("layers = 3; 1 ,rate=NONE".replace("NONE", "none") + ",steps=4,words=a;b")
    assert given == {"layers": (3, 1), "rate": None, "steps": 4, "words": ("a", "b")}
    for text in ("", "layers=5", "layers=5;", "layers=;", "layers=1;2,words=a", "rate=none,steps=1"):
        parameters = one.read(text)
        assert one.read(one.write(parameters)) == parameters, text
    assert one.read("layers=5") == one.read("layers=5;")
    assert one.write(one.read("layers=1;3,rate=none")) == "layers=1;3,rate=none"
    assert one.resolve({"layers": [1, 3]})["layers"] == (1, 3)  # as a record holds it
    assert [p.kind for p in one.parameters] == ["list of int", "float or none", "int or none", "list of a | b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("layers=0;1", "cut: layers must be at least 1, not 0"),
        ("layers=1;x", "layers takes a whole number, not 'x'"),
        ("layers=none", "layers takes a whole number, not 'none'"),
        ("rate=1;2", r"rate takes a number or none, not \(1, 2\)"),
        ("rate=2", "rate must be at most 1.0, not 2.0"),
        ("rate=null", "rate takes a number or none, not 'null'"),
        ("words=a;c", "words is one of a, b, not 'c'"),
        ("layers=1;;2", "is no value"),
    ],
)
def test_lists_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        only(tmp_path, MANY).read(text)


@pytest.mark.parametrize("text", ["a(", "a)", ")(", "a((b)", "a'b", 'a("b)'])
def test_split_refuses_what_does_not_close(text: str) -> None:
    with pytest.raises(BenchError, match=r"unbalanced|closes"):
        split_text(text, ",")


def test_the_field_carries_what_the_declaration_reads() -> None:
    one = parameter(0.5, "share", low=0.0, high=1.0)
    assert one.default == 0.5
    assert one.metadata == {"doc": "share", "low": 0.0, "high": 1.0}
