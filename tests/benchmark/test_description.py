"""The one reader: what a description accepts, and the sentence for what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NotRequired, TypedDict

import pytest

from benchmark.description import read
from benchmark.errors import BenchError


@dataclass(frozen=True)
class Part:
    id: str
    size: int = 1

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"size must be at least 0, not {self.size}")


class Raw(TypedDict):
    kind: Literal["a", "b"]
    note: NotRequired[str]


@dataclass(frozen=True)
class Whole:
    rate: float
    word: Literal["one", "two"] = "one"
    flag: bool = False
    value: float | str | None = None
    shares: tuple[float, ...] = ()
    parts: list[Part] | None = None
    texts: Mapping[str, str] | None = None
    raw: Raw | None = None
    rest: Any = None


def test_what_fits_is_built_with_its_defaults() -> None:
    table = {"rate": 1, "shares": 0.5, "parts": [{"id": "x"}], "texts": {"a": "b"}, "raw": {"kind": "a"}, "rest": [1]}
    made = read(Whole, table)
    assert made == Whole(1.0, shares=(0.5,), parts=[Part("x")], texts={"a": "b"}, raw={"kind": "a"}, rest=[1])
    assert type(made.rate) is float
    assert made.raw is table["raw"]
    assert [read(Whole, {"rate": 1.0, "value": one}).value for one in (2, "two", None)] == [2.0, "two", None]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rate": "fast"}, "rate must be a number, not 'fast'"),
        ({"rate": True}, "rate must be a number, not True"),
        ({"rate": None}, "rate must be a number, not None"),
        ({"flag": 1}, "flag must be true or false, not 1"),
        ({"word": "three"}, "word must be one of one, two, not 'three'"),
        ({"value": []}, "value must be a number or a text, not []"),
        ({"wrod": "one"}, "unknown key 'wrod': did you mean word?"),
        ({"zzz": 1}, "unknown key 'zzz': known are flag, parts, rate, raw, rest, shares, texts, value, word"),
        ({"shares": ["all"]}, "shares number 0 must be a number, not 'all'"),
        ({"parts": {"id": "x"}}, "parts must be a list, not {'id': 'x'}"),
        ({"parts": [{"id": "x", "size": 0.5}]}, "parts x: size must be a whole number, not 0.5"),
        ({"parts": [{"id": "x", "size": -1}]}, "parts x: size must be at least 0, not -1"),
        ({"parts": [{"size": 1}]}, "parts number 0: id is missing"),
        ({"parts": [3]}, "parts number 0 must be a table, not 3"),
        ({"texts": {"a": 1}}, "texts: a must be a text, not 1"),
        ({"raw": {}}, "raw: kind is missing"),
        ({"raw": {"kind": "a", "note": 1}}, "raw: note must be a text, not 1"),
        ({"rest": "x" * 1000, "flag": "y" * 1000}, "flag must be true or false, not 'yyy"),
    ],
)
def test_what_does_not_fit_is_one_short_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BenchError) as error:
        read(Whole, {"rate": 1.0, **change}, "file mine.toml", "mend it")
    said = str(error.value)
    assert said.startswith(f"file mine.toml: {sentence}")
    assert said.endswith("? Mend it" if "did you mean" in said else ": mend it")
    assert len(said) < 150


def test_a_whole_that_is_no_table_is_named() -> None:
    with pytest.raises(BenchError, match=r"^file mine\.toml must be a table, not \[\]$"):
        read(Whole, [], "file mine.toml")


@dataclass(frozen=True)
class Piece:
    in_part: ClassVar = True
    id: str
    sizes: list[float]


def test_a_description_in_part_leaves_the_rest_unread() -> None:
    assert read(Piece, {"id": "x", "sizes": [1, 2.5], "more": {}, "": None}) == Piece("x", [1.0, 2.5])
    with pytest.raises(BenchError, match="sizes number 1 must be a number, not 'x'"):
        read(Piece, {"id": "x", "sizes": [1, "x"], "more": {}})


def test_a_sentence_stays_short_whatever_names_a_file_holds() -> None:
    for table in (
        {"x" * 10**6: 1},
        {"rate": "x" * 10**6},
        {"rate": 1, "texts": {"x" * 10**6: 1}},
        {"rate": 1, "parts": [{"id": "x" * 10**6, "size": -(10**9)}]},
    ):
        with pytest.raises(BenchError) as error:
            read(Whole, table)
        assert len(str(error.value)) < 600
