"""Tolerances of a reproduction: short phrases, declared before anything is run, that a measured value meets or not.

at least 95      at most 35      within 0.5 (of the reported value)
is survived      is removed or utility-lost
above other-claim      below other-claim (by the value measured for that claim: a direction)
"""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from typing import Literal, cast

ToleranceKind = Literal["at least", "at most", "within", "is", "above", "below"]
_PHRASE = re.compile(r"(?P<kind>at least|at most|within|is|above|below) +(?P<rest>\S.*)")
_WORD = re.compile(r"[a-z][a-z0-9-]*")
NUMERIC = ("at least", "at most", "within")
RELATIVE = ("above", "below")
_COMPARES = {"at least": operator.ge, "at most": operator.le, "above": operator.gt, "below": operator.lt}


@dataclass(frozen=True)
class Tolerance:
    """bound: of a numeric tolerance. words: of `is`. other: the claim that `above` and `below` compare with."""

    text: str
    kind: ToleranceKind
    bound: float = math.nan
    words: tuple[str, ...] = ()
    other: str = ""

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Raises ValueError in one sentence."""
        match = _PHRASE.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is no tolerance: write 'at least 95', 'at most 35', 'within 0.5', 'is survived or removed', "
                "'above CLAIM' or 'below CLAIM'"
            )
        kind, rest = cast(ToleranceKind, match["kind"]), match["rest"]
        if kind in NUMERIC:
            return cls(text, kind, bound=_number(rest, text))
        words = tuple(rest.split(" or ")) if kind == "is" else (rest,)
        if not all(_WORD.fullmatch(word) for word in words):
            raise ValueError(f"{text!r} names {rest!r}, which is no word of small letters, digits and -")
        return cls(text, kind, words=words) if kind == "is" else cls(text, kind, other=rest)

    def holds(self, measured: float | str, reported: float | str | None, other: float | None) -> bool:
        """Whether `measured` meets it. reported: for `within`; other: the measured value of the claim named."""
        if self.kind == "is":
            return measured in self.words
        assert not isinstance(measured, str)
        if self.kind == "within":
            assert isinstance(reported, float)
            return abs(measured - reported) <= self.bound
        limit = other if self.kind in RELATIVE else self.bound
        assert limit is not None
        return bool(_COMPARES[self.kind](measured, limit))


def _number(rest: str, text: str) -> float:
    try:
        value = float(rest)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text!r} needs a number where it says {rest!r}")
    return value
