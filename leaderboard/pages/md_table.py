"""Tables of a markdown page, and the escaping that keeps untrusted text from being markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARKUP = re.compile(r"[\\`*_\[\]|~$]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# What a code host makes a link or a mention of. It looks for mentions once entities are read: a comment stops it.
_AUTOLINK = re.compile(r"(?<=:)//|(?<=www)\.|@", re.IGNORECASE)
_BROKEN = {"//": "&#47;&#47;", ".": "&#46;", "@": "&#64;<!-- -->"}
_LINK = re.compile(r"https?://[A-Za-z0-9./_~%?=&#:+-]+")


def one_line(text: object) -> str:
    """Untrusted text on one line: control characters, line breaks and direction marks become spaces."""
    plain = str(text)
    if not plain.isprintable():
        plain = "".join(char if char.isprintable() else " " for char in plain)
    return " ".join(plain.split())


def escape(text: object) -> str:
    """Untrusted text as plain words of a table cell: no markup, no HTML, no addresses, no mentions, no line breaks."""
    plain = _MARKUP.sub(r"\\\g<0>", one_line(text).translate(_ENTITIES))
    return _AUTOLINK.sub(lambda found: _BROKEN[found[0]], plain)


def link(text: str) -> str:
    """A reference: a link where the text is nothing but an address, else the escaped text; a dash for none."""
    if _LINK.fullmatch(text):
        return f"<{text}>"
    return escape(text) or "–"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], align: str = "") -> str:
    """A pipe table, aligned in the source too. `align`: one of l and r per column, l where it ends early.

    The cells are markdown already: untrusted text comes through `escape`.
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(header))]
    right = [align[column : column + 1] == "r" for column in range(len(header))]

    def write(line: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = ("-" * (width - 1) + (":" if to_right else "-") for width, to_right in zip(widths, right, strict=True))
    return "\n".join([write(header), f"| {' | '.join(rule)} |", *(write(line) for line in rows)])
