"""The facts of many cells in few bytes, for `leaderboard.html`: by columns, numbers apart from words, compressed.

Cells say much the same in other numbers. So a text is kept as its form, in which SLOT stands for every number and job
id, and as what stood there. What is packed here is unpacked by `templates/data.js`, to the letter.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from leaderboard.pages.sections.threat_model import Facts

SLOT = "\x01"  # no text of a page holds a control character (`one_line`)
_APART = re.compile(rf"([0-9a-f]{{64}}|[-+]?\d+(?:,\d{{3}})*(?:\.\d+)?(?:e[-+]?\d+)?|{SLOT})")


def compressed(value: Any) -> str:
    """JSON as zlib (RFC 1950), in base64: signs that can stand in any element of a page."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("utf-8", "backslashreplace"), 9)).decode()


def pack_facts(facts: Sequence[Facts]) -> dict[str, Any]:
    """Lists of (name, text), one for each cell, as one table of those that differ.

    "row": of each cell, as steps. "shapes": which columns a row has, in its order, and "shape" of each row. Of each
    column, "form" is which of its forms each text has, and "slots" holds what stood in the first slot of every form
    that has one, then in the second, and so on.
    """
    rows: dict[tuple[tuple[str, str], ...], int] = {}
    row = [rows.setdefault(tuple(one), len(rows)) for one in facts]
    columns: dict[tuple[str, int], _Column] = {}
    shapes: dict[tuple[int, ...], int] = {}
    shape = []
    for one in rows:
        names, own = [name for name, _ in one], []
        for at, (name, text) in enumerate(one):
            key = name, names[:at].count(name)
            column = columns.setdefault(key, _Column(len(columns)))
            column.add(text)
            own.append(column.number)
        shape.append(shapes.setdefault(tuple(own), len(shapes)))
    packed = [{"name": name, **column.packed()} for (name, _), column in columns.items()]
    return {"row": steps(row), "shapes": list(shapes), "shape": steps(shape), "columns": packed}


def steps(numbers: Iterable[int]) -> list[int]:
    """Whole numbers as the first and what is added each time: what counts on compresses to next to nothing."""
    return [after - before for before, after in pairwise([0, *numbers])]


class _Column:
    """The texts of one fact: their forms, and what stood in the slots."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._forms: dict[str, int] = {}
        self._form: list[int] = []
        self._slots: list[list[str]] = []
        self._apart: dict[str, tuple[int, list[str]]] = {}  # of each text its form, and what stands in the slots

    def add(self, text: str) -> None:
        if text not in self._apart:
            pieces = _APART.split(text)  # what stands between slots, and every second one what stands in a slot
            form = self._forms.setdefault(SLOT.join(pieces[::2]), len(self._forms))
            self._apart[text] = form, pieces[1::2]
        form, found = self._apart[text]
        self._form.append(form)
        self._slots += ([] for _ in range(len(found) - len(self._slots)))
        for slot, one in zip(self._slots, found, strict=False):
            slot.append(one)

    def packed(self) -> dict[str, Any]:
        return {"forms": list(self._forms), "form": steps(self._form), "slots": [" ".join(one) for one in self._slots]}
