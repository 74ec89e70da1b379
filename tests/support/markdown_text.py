"""The markdown pages of a made-up board, read as one text."""

from __future__ import annotations

import re
from typing import Any

from leaderboard.pages.board_pages import markdown_pages


def page(board: Any) -> str:
    """All markdown pages of a board, one after the other, the main one first."""
    return "\n".join(make() for make in markdown_pages(board).values())


def rows(text: str, section: str, title: str = "") -> list[list[str]]:
    """The rows of the first table below a heading, its header first."""
    below = text[text.index(f"\n{section}\n") :]
    below = below[below.index(title) :]
    lines = below[below.index("\n| ") + 1 :].split("\n\n")[0].splitlines()
    return [[one.strip() for one in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if set(line) - set("|-: ")]
