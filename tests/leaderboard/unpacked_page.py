"""leaderboard.html read back: its elements, and its packed squares and cells as the page's script unpacks them."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import accumulate
from pathlib import Path
from typing import Any

Facts = list[tuple[str, str]]


class Reader(HTMLParser):
    """Elements by name with their attributes, and every script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def unpack(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text, validate=True)))


def comparable(path: Path) -> bytes | str:
    """What a file of a board holds; leaderboard.html with its data unpacked, since builds of zlib pack differently."""
    if path.suffix != ".html":
        return path.read_bytes()
    packed = re.compile(r'(?<=<script type="text/plain" id=)("\w+">)([^<]+)')
    return packed.sub(lambda found: found[1] + json.dumps(unpack(found[2])), path.read_text(encoding="utf-8"))


def unpack_facts(packed: dict[str, Any]) -> list[Facts]:
    """The lists of (name, text) that `pack_facts` was given."""
    columns = [_texts(**{key: value for key, value in one.items() if key != "name"}) for one in packed["columns"]]
    names = [one["name"] for one in packed["columns"]]
    rows = [[(names[at], next(columns[at])) for at in packed["shapes"][shape]] for shape in accumulate(packed["shape"])]
    return [rows[row] for row in accumulate(packed["row"])]


def _texts(forms: list[str], form: list[int], slots: list[str]) -> Iterator[str]:
    stood = [iter(one.split(" ")) for one in slots]
    for which in accumulate(form):
        first, *rest = forms[which].split("\x01")
        yield first + "".join(next(slot) + part for slot, part in zip(stood, rest, strict=False))


@dataclass(frozen=True)
class ReadSquare:
    """One square of the page. lines: as they stand in it and in its dialog. cells: their numbers."""

    scheme: str
    attack: str
    kind: str
    task: str
    lines: list[str]
    words: list[str]
    look: str
    sign: str
    cells: list[int]


class Unpacked:
    """All that the page's script has."""

    def __init__(self, text: str) -> None:
        packed, self.data = (unpack(one) for one in Reader(text).scripts[:2])
        self.labels = [one["label"] for one in packed["attacks"]]
        self.packed = packed
        self.squares = list(_squares(packed))
        self.seeds = list(accumulate(self.data["seed"]))
        self.attacks = [self.labels[at] for at in accumulate(self.data["attack"])]
        self.commands = [text for ((_, text),) in unpack_facts(self.data["command"])]
        self.points = unpack_facts(self.data["points"])
        self.sections = {one["title"]: unpack_facts(one) for one in self.data["sections"]}

    def square(self, scheme: str, attack: str, kind: str = "") -> ReadSquare:
        (found,) = [
            one for one in self.squares if (one.scheme, one.attack) == (scheme, attack) and kind in ("", one.kind)
        ]
        return found

    def facts(self, square: ReadSquare, section: str, seed: int = 0) -> dict[str, str]:
        return dict(self.sections[section][square.cells[seed]])

    def all_facts(self, cell: int) -> list[tuple[str, Facts]]:
        """The facts of a cell, section by section, as `cell_facts` gives them."""
        return [(title, facts[cell]) for title, facts in self.sections.items() if facts[cell]]

    def lines(self) -> Iterable[tuple[str, str, int, bool, str]]:
        """Scheme, attack, seed, whether innocent, and verdict of every cell of every square."""
        verdicts = self.sections["Verdict"]
        for one in self.squares:
            for cell in one.cells:
                word = dict(verdicts[cell])["verdict"]
                yield one.scheme, one.attack, self.seeds[cell], one.kind == "innocent models", word


def _squares(packed: dict[str, Any]) -> Iterator[ReadSquare]:
    cells = accumulate(packed["cells"])
    columns = [list(accumulate(packed[name])) for name in ("scheme", "attack", "table")]
    lines, words = unpack_facts(packed["lines"]), unpack_facts(packed["words"])
    for number, (scheme, attack, table) in enumerate(zip(*columns, strict=True)):
        yield ReadSquare(
            packed["schemes"][scheme]["label"],
            packed["attacks"][attack]["label"],
            packed["tables"][table]["kind"],
            packed["tables"][table]["task"],
            [line for _, line in lines[number]],
            words[number][0][1].split(" "),
            packed["looks"][packed["look"][number]],
            packed["signs"][packed["sign"][number]],
            [next(cells) for _ in range(packed["count"][number])],
        )
