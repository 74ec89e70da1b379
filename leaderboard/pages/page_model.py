"""What a page consists of, whoever writes it: titles, text and tables of plain words.

Nothing here is markup, and no text is escaped: each of the four writers (markdown, HTML, LaTeX, terminal) escapes for
its own format, so that names and reasons, which are untrusted, stay text on every page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Literal

from benchmark.errors import printable
from leaderboard.judge.board import Board

_ADDRESS = re.compile(r"https?://[A-Za-z0-9./_~%?=&#:+-]+")


@dataclass(frozen=True)
class Span:
    """A piece of text with a mark. cite: `text` holds BibTeX keys, for LaTeX alone.

    address: where a link leads, or an image lies, from the folder of the board; of an anchor, which shows nothing, its
    name. Of an image `text` says what it shows.
    """

    text: str
    mark: Literal["strong", "code", "link", "cite", "break", "anchor", "image"]
    address: str = ""


Inline = str | Span | tuple[str | Span, ...]
BREAK = Span("", "break")  # a new line in a cell of a table, a new paragraph elsewhere


@dataclass(frozen=True)
class Section:
    """A title, a text, a table, and sections one level below. align: l or r per column, l where it ends early."""

    title: Inline = ""
    text: Inline = ""
    header: Sequence[Inline] = ()
    rows: Sequence[Sequence[Inline]] = ()
    align: str = ""
    parts: Sequence[Section] = ()

    def right(self, column: int) -> bool:
        """Whether a column holds numbers, aligned at the right."""
        return self.align[column : column + 1] == "r"


def strong(text: str) -> Span:
    return Span(text, "strong")


def terms(text: str) -> tuple[str | Span, ...]:
    """A text of our own in which terms that it explains stand between `**`, each in strong."""
    return tuple(strong(piece) if at % 2 else piece for at, piece in enumerate(text.split("**")) if piece)


def anchor(name: str) -> Span:
    """A place of a markdown page that links lead to. name: of [a-z0-9-]."""
    return Span("", "anchor", name)


def link(text: str) -> Inline:
    """A reference: a link where the text is nothing but an address; a dash for none."""
    return Span(text, "link", text) if _ADDRESS.fullmatch(text) else text or "–"


def spans(text: Inline) -> tuple[str | Span, ...]:
    return text if isinstance(text, tuple) else (text,)


def filled(section: Section) -> Section:
    """The same without the columns of its table in which every cell is a dash."""
    kept = [at for at in range(len(section.header)) if any(row[at] != "–" for row in section.rows)]
    if not section.rows or len(kept) == len(section.header):
        return section
    return replace(
        section,
        header=[section.header[at] for at in kept],
        rows=[[row[at] for at in kept] for row in section.rows],
        align="".join("r" if section.right(at) else "l" for at in kept),
    )


def moved(section: Section, before: str) -> Section:
    """The same for a page in another folder than the board's: `before` stands before its links, such as `../`."""

    def led(text: Inline) -> Inline:
        return links_moved(text, before)

    return replace(
        section,
        title=led(section.title),
        text=led(section.text),
        header=[led(one) for one in section.header],
        rows=[[led(one) for one in row] for row in section.rows],
        parts=[moved(part, before) for part in section.parts],
    )


def links_moved(text: Inline, before: str) -> Inline:
    """A text whose links lead elsewhere from another folder; those within a page and to other hosts stay."""
    found = tuple(
        replace(one, address=f"{before}{one.address}")
        if isinstance(one, Span) and one.mark == "link" and not re.match("#|https?://", one.address)
        else one
        for one in spans(text)
    )
    return found[0] if len(found) == 1 else found


def lines(those: Iterable[Inline]) -> Inline:
    """One text of several lines; a dash for none."""
    found: list[str | Span] = []
    for line in those:
        found += [BREAK, *spans(line)] if found else spans(line)
    return tuple(found) or "–"


def listed(those: Sequence[Inline]) -> Inline:
    """`a`, `a and b`, `a, b and c`."""
    found: list[Inline] = []
    for place, one in enumerate(those):
        found += ["" if not place else " and " if place == len(those) - 1 else ", ", one]
    return joined(found)


def joined(those: Iterable[Inline]) -> Inline:
    """Pieces of text one after the other."""
    return tuple(piece for one in those for piece in spans(one) if piece)


def one_line(text: object) -> str:
    """Untrusted text on one line: control characters, line breaks and direction marks become spaces."""
    plain = printable(str(text))
    # of what is printable, a space is the only sign that splits words
    return " ".join(plain.split()) if "  " in plain or plain[:1] == " " or plain[-1:] == " " else plain


def piece(text: str) -> str:
    """`one_line` for a piece of a text: a space at its ends is kept, since a marked piece may stand beside it."""
    plain = one_line(text)
    return f"{' ' * text.startswith(' ')}{plain}{' ' * text.endswith(' ')}" if plain else " " * bool(text)


def per_task(build: Callable[[Board], Section]) -> Callable[[Board], Section]:
    """A section built from a board of one task; of several tasks one part each, under one title and one text."""

    @wraps(build)
    def section(board: Board) -> Section:
        found = [(part.track, build(part)) for part in board.parts]
        first = found[0][1]
        if len(found) == 1:
            return first
        common = first.text if len({one.text for _, one in found}) == 1 else ""
        parts = [
            replace(one, title=f"{track.task}, {track.kind}", text="" if common else one.text) for track, one in found
        ]
        return Section(first.title, common, parts=parts)

    return section
