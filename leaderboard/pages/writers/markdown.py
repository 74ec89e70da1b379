"""Sections as markdown for a code host. Names, parameters and reasons are untrusted text: they never become markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from leaderboard.pages.page_model import Inline, Section, Span, one_line, piece, spans

_MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")  # within a word, _ is no markup
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# What a code host makes a link or a mention of. It looks for mentions once entities are read: a comment stops it.
_AUTOLINK = re.compile(r"(?<=:)//|(?<=www)\.|@", re.IGNORECASE)
_BROKEN = {"//": "&#47;&#47;", ".": "&#46;", "@": "&#64;<!-- -->"}


def page(title: str, sections: Sequence[Section]) -> str:
    """A whole page under one title."""
    return "\n\n".join(_section(Section(title, parts=sections), 1)) + "\n"


def text(section: Section) -> str:
    """A section without a title, for a page that has other text around it."""
    return "\n\n".join(_section(section, 1))


def inserted(page: str, name: str, made: str) -> str:
    """`page`, which is written by hand, with `made` between the two marks of that name.

    Raises ValueError where a mark is missing.
    """
    first, last = f"<!-- {name}: made by python -m leaderboard.pages.publish -->", f"<!-- end of {name} -->"
    head, begin, rest = page.partition(first)
    _, end, tail = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"the page has lost the marks around its {name}")
    return f"{head}{first}\n\n{made}\n\n{last}{tail}"


def _section(section: Section, level: int) -> Iterator[str]:
    if section.title:
        yield f"{'#' * level} {inline(section.title)}"
    if section.text:
        yield inline(section.text, "\n\n")
    if section.header:
        yield table(section)
    for part in section.parts:
        yield from _section(part, level + 1)


def table(section: Section) -> str:
    """The section's pipe table, without padding: a wide table would be spaces for two fifths."""
    rule = ("--:" if section.right(column) else "---" for column in range(len(section.header)))
    rows = (_row(inline(cell) for cell in row) for row in (section.header, *section.rows))
    return "\n".join([next(rows), _row(rule), *rows])


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def inline(text: Inline, new_line: str = "<br>") -> str:
    """Marked text as markdown; a break is `new_line`."""
    return "".join(escape(one) if isinstance(one, str) else _marked(one, new_line) for one in spans(text))


def _marked(span: Span, new_line: str) -> str:
    match span.mark:
        case "strong":
            return f"**{escape(span.text)}**"
        case "code":
            return f"`{one_line(span.text).replace('`', ' ')}`"
        case "link" if span.text == span.address and "://" in span.address:
            return f"<{span.address}>"
        case "image":
            return f"![{escape(span.text)}]({span.address})"
        case "link":
            return f"[{escape(span.text)}]({span.address})"
        case "anchor":
            return f'<a id="{span.address}"></a>'
        case "break":
            return new_line
    return ""


def escape(text: str) -> str:
    """Untrusted text as plain words of a table cell: no markup, no HTML, no addresses, no mentions, no line breaks."""
    plain = _MARKUP.sub(r"\\\g<0>", piece(text).translate(_ENTITIES))
    return _AUTOLINK.sub(lambda found: _BROKEN[found[0]], plain)
