"""The markdown pages of a board, read as one text, as tables, and as links."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from leaderboard.pages.board_pages import markdown_pages

_CELL = re.compile(r"(?<!\\)\|")


def page(board: Any) -> str:
    """All markdown pages of a board, one after the other, the main one first."""
    return "\n".join(make() for make in markdown_pages(board).values())


def pages(board: Any) -> dict[str, str]:
    """Every markdown page of a board, by its address from the board's folder."""
    return {name: make() for name, make in markdown_pages(board).items()}


def rows(text: str, section: str, title: str = "") -> list[list[str]]:
    """The rows of the first table below a heading, its header first."""
    below = text[text.index(f"\n{section}\n") :]
    below = below[below.index(title) :]
    return _table(below[below.index("\n| ") + 1 :].split("\n\n")[0])


def tables(text: str) -> Iterator[list[list[str]]]:
    """The rows of every table, its header first."""
    for block in text.split("\n\n"):
        if block.startswith("| "):
            yield _table(block)


def _table(block: str) -> list[list[str]]:
    return [[one.strip() for one in _CELL.split(line)[1:-1]] for line in block.splitlines() if set(line) - set("|-: ")]


def shown(cell: str) -> str:
    """A cell as a reader sees it: without links, anchors, marks and escapes."""
    plain = re.sub(r"\[((?:\\.|[^\]\\])*)\]\([^)]*\)", r"\1", re.sub(r'<a id="[^"]*"></a>', "", cell))
    return re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)[*`]", "", plain))


def lost_links(found: Mapping[str, str]) -> list[tuple[str, str]]:
    """The links between pages, as (page, address), that lead to no page or to no place on one; pictures aside."""
    lost = []
    for name, whole in found.items():
        text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", whole)
        for address in re.findall(r"(?<!\\)\]\(([^)]+)\)", text):
            if address.startswith(("http://", "https://")):
                continue
            path, _, place = address.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            if target not in found or (place and place not in places(found[target])):
                lost.append((name, address))
    return lost


def places(text: str) -> list[str]:
    """The names of the places on a page that links lead to."""
    return re.findall(r'<a id="([^"]+)"></a>', text)
