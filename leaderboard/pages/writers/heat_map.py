"""`heat-map.svg`: families of schemes against families of attacks, kind by kind, as one picture beside the first page.

It stands on a ground of its own and follows the reader's colour scheme, so it reads on light and dark pages. Colour is
never alone: each square has a sign and a number. Names are untrusted text: they are escaped here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from leaderboard.analysis.overview import AttackGroup, FamilyRow, FamilySquare, Overview, overviews
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import one_line
from leaderboard.pages.short_names import Names, names

# orange to blue: apart for readers of every colour vision; each with the ink that reads on it
SHADES = (("#9a3412", "#ffffff"), ("#f2a65a", "#1b1b1b"), ("#f7dfc3", "#1b1b1b"), ("#cfe0f2", "#1b1b1b"),
          ("#86b6e3", "#1b1b1b"), ("#1c5d99", "#ffffff"))  # fmt: skip
UNCLEAR, BLANK = ("#d4d4d8", "#1b1b1b"), ("none", "currentColor")  # undecided alone, and nothing judged
SIGNS = {"all": "●", "some": "◐", "none": "✕", "open": "?", "empty": "–"}
_WIDE, _HIGH, _LEFT, _GAP, _MARGIN = 50, 38, 128, 10, 14
_LINE, _LETTER, _LONGEST = 16, 6.8, 34  # a line of text, a letter's width, and the letters of a name that are shown
_SLANT = (0.64, 0.77)  # of a column's name, across and up
_STYLE = """
svg { color: #1f2328; background: #ffffff; font: 12px system-ui, -apple-system, "Segoe UI", sans-serif }
.ground { fill: #ffffff; stroke: #d1d9e0 } text { fill: currentColor } .title { font-weight: 600; font-size: 14px }
.sign { font-size: 13px } .line { stroke: currentColor; stroke-opacity: .35 }
@media (prefers-color-scheme: dark) {
  svg { color: #f0f6fc; background: #151b23 } .ground { fill: #151b23; stroke: #3d444d }
}
"""


def page(board: Board) -> str:
    """The whole picture, track below track."""
    called = names(board)
    views = [view for view in overviews(board) if view.rows and view.families]
    width = max((_width(view) for view in views), default=2 * _LEFT + 2 * _MARGIN)
    width = max(width, 620)  # of the key below
    top, parts = _MARGIN, []
    for view in views:
        parts += list(_track(view, called, top, several=len(views) > 1))
        top += _height(view)
    parts += list(_key(top))
    height = top + 3 * _LINE + _MARGIN
    title = f"What is left of watermarks: {one_line(board.run.described['run'])}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="title about">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="about">{escape(" ".join(_said(view, called) for view in views) or "Nothing was judged.")}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>',
        *parts,
        "</svg>\n",
    ])  # fmt: skip


def shade(found: FamilySquare) -> tuple[str, str]:
    """Fill and ink of a square, by the middle of its share withstood."""
    if not found.judged:
        return BLANK
    if found.undecided == found.judged:
        return UNCLEAR
    middle = sum(found.share) / 2
    if middle in (0.0, 1.0):
        return SHADES[0] if middle == 0.0 else SHADES[-1]
    return SHADES[1 + min(3, int(4 * middle))]


def sign(found: FamilySquare) -> str:
    """Whether all, some or none of the marks withstood; undecided alone; nothing judged."""
    if not found.judged:
        return SIGNS["empty"]
    if found.undecided == found.judged:
        return SIGNS["open"]
    low, high = found.share
    return SIGNS["all"] if low == 1.0 else SIGNS["none"] if high == 0.0 else SIGNS["some"]


def number(found: FamilySquare) -> str:
    """The share withstood in per cent, as `83` or `77–90`; never 0 or 100 where it is not."""
    low, high = (_percent(share) for share in found.share)
    return "" if not found.judged else low if low == high else f"{low}–{high}"


def _percent(share: float) -> str:
    rounded = round(100 * share)
    return str(min(max(rounded, 1), 99) if 0 < share < 1 else rounded)


def _width(view: Overview) -> int:
    kinds = len({one.kind for one in view.families})
    last = round(len(_cut(_column(view.families[-1]))) * _LETTER * _SLANT[0])
    return 2 * _MARGIN + _LEFT + len(view.families) * _WIDE + kinds * _GAP + last


def _height(view: Overview) -> int:
    return _LINE * 2 + _head(view) + len(view.rows) * _HIGH + 2 * _LINE


def _head(view: Overview) -> int:
    """How high the slanted names of columns stand."""
    longest = max(len(_cut(_column(one))) for one in view.families)
    return round(longest * _LETTER * _SLANT[1]) + _LINE


def _column(one: AttackGroup) -> str:
    return one.kind if one.family == one.kind else f"{one.kind}: {one.family}"


def _track(view: Overview, called: Names, top: int, *, several: bool) -> Iterator[str]:
    on = f", on {one_line(view.track.task)}" if several else ""
    yield _text(_MARGIN, top + _LINE - 2, f"Share of marks that withstood the thief, in per cent{on}", "title")
    down = top + 2 * _LINE + _head(view)
    across = _MARGIN + _LEFT
    places = []
    for _, group in groupby(view.families, key=lambda one: one.kind):
        columns = list(group)
        end = across + len(columns) * _WIDE
        yield f'<line class="line" x1="{across}" y1="{down - 4}" x2="{end - 2}" y2="{down - 4}"/>'
        for one in columns:
            places.append((one, across))
            yield _slanted(across + _WIDE // 2, down - 10, _column(one))
            across += _WIDE
        across += _GAP
    for place, row in enumerate(view.rows):
        y = down + place * _HIGH
        yield _text(_MARGIN + _LEFT - 8, y + _HIGH // 2 + 3, _cut(row.name), "", "end")
        for one, x in places:
            yield from _square(row, one, called, x, y)


def _square(row: FamilyRow, group: AttackGroup, called: Names, x: int, y: int) -> Iterator[str]:
    found = row.at(group)
    fill, ink = shade(found)
    middle = x + (_WIDE - 2) // 2
    yield f"<g><title>{escape(_about(row, group, found, called))}</title>"
    yield f'<rect x="{x}" y="{y}" width="{_WIDE - 2}" height="{_HIGH - 2}" rx="3" fill="{fill}"/>'
    ways = f' style="fill:{ink}"'
    if found.judged:
        yield f'<text class="sign" x="{middle}" y="{y + 15}" text-anchor="middle"{ways}>{sign(found)}</text>'
        yield f'<text x="{middle}" y="{y + 30}" text-anchor="middle"{ways}>{number(found)}</text>'
    else:
        yield f'<text x="{middle}" y="{y + 22}" text-anchor="middle"{ways}>{sign(found)}</text>'
    yield "</g>"


def _about(row: FamilyRow, group: AttackGroup, found: FamilySquare, called: Names) -> str:
    """What a square says in words: for who points at it."""
    where = f"{one_line(row.name)} under {one_line(group.kind)}, {one_line(group.family)}"
    if not found.judged:
        return f"{where}: nothing judged"
    worst = f"; worst: {one_line(called.attacks[found.worst.attack])}" if found.worst else ""
    return f"{where}: {wording.three(found.tally)}, {found.undecided} undecided{worst}"


def _said(view: Overview, called: Names) -> str:
    """The picture in words, kind by kind: for who can't see it."""
    rows = (
        f"{one_line(row.name)}: "
        + ", ".join(f"{one_line(kind.kind)} {number(row.at(kind)) or 'nothing judged'}" for kind in view.kinds)
        for row in view.rows
    )
    return f"Per cent of marks that withstood the thief on {one_line(view.track.task)}. {'; '.join(rows)}."


def _key(top: int) -> Iterator[str]:
    """What signs and colours mean."""
    words = ((SHADES[-1], "all", "all"), (SHADES[3], "some", "some"), (SHADES[0], "none", "none withstood"),
             (UNCLEAR, "open", "all undecided"), (BLANK, "empty", "nothing judged"))  # fmt: skip
    x = _MARGIN
    for (fill, ink), name, meaning in words:
        yield f'<rect x="{x}" y="{top}" width="24" height="20" rx="3" fill="{fill}"/>'
        yield f'<text x="{x + 12}" y="{top + 15}" text-anchor="middle" style="fill:{ink}">{SIGNS[name]}</text>'
        yield _text(x + 30, top + 15, meaning)
        x += 44 + 7 * len(meaning)
    about = "Two numbers: undecided ones counted as broken, and as withstood. Of claims: those rejected."
    yield _text(_MARGIN, top + 2 * _LINE + 8, about)


def _slanted(x: int, y: int, text: str) -> str:
    return f'<text transform="translate({x} {y}) rotate(-50)">{escape(_cut(text))}</text>'


def _text(x: int, y: int, text: str, style: str = "", anchor: str = "start") -> str:
    named = f" class={quoteattr(style)}" if style else ""
    return f'<text{named} x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _cut(name: str) -> str:
    plain = one_line(name)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
