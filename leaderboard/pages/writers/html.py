"""`leaderboard.html`: the board as one self-contained page, from the heat map to the evidence of each cell.

Jinja's autoescape guards the markup, base64 the packed cells, a content security policy the rest: only the page's own
script and style may run, and nothing is fetched.
"""

from __future__ import annotations

import base64
import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from leaderboard.analysis.meetings import Survival
from leaderboard.analysis.overview import FamilyRow, Overview, overviews
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, Span, one_line, piece, spans
from leaderboard.pages.sections import costs, innocents, legend, outside, protocol
from leaderboard.pages.sections.first_page.attacks import attacks
from leaderboard.pages.sections.first_page.families import families
from leaderboard.pages.sections.first_page.findings import findings
from leaderboard.pages.sections.first_page.limits import limits
from leaderboard.pages.sections.first_page.situations import situations
from leaderboard.pages.sections.first_page.what_was_run import what_was_run
from leaderboard.pages.short_names import names
from leaderboard.pages.writers.html_cells import packed_cells
from leaderboard.pages.writers.html_data import compressed
from leaderboard.pages.writers.html_squares import AUTO, INNOCENT, packed_squares, squares

SCRIPTS = ("data.js", "matrix.js", "chart.js", "evidence.js", "links.js")  # in the order in which they need each other
_SCHEME_PAGE = re.compile(r"schemes/([a-z0-9-]+)\.md(?:#setting-([a-z0-9-]+)|#([a-z0-9-]+))?")
_ATTACK_PAGE = re.compile(r"attacks/([a-z0-9-]+)\.md(?:#([a-z0-9-]+))?")
_HEAT = (0.0, 0.1, 0.4, 0.7)  # shares broken: none, and the upper ends of all tints but the last


def page(board: Board) -> str:
    """The whole page."""
    found, seen = squares(board), overviews(board)
    words = {cell.verdict.word for one in found for cell in one.all}
    script = '"use strict";\n(() => {\n' + "\n".join(map(_own, SCRIPTS)) + "})();\n"
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=one_line(board.run.described["run"]),
            about=what_was_run(board),
            alpha=wording.probability(board.alpha),
            budget=one_line(wording.budgets(board.shown)),
            units=wording.units(board.shown),
            several=wording.about_seeds(board),
            maps=[_map(one, several=len(seen) > 1) for one in seen if one.rows],
            families=_families(board),
            kinds=list(dict.fromkeys(one.kind for one in found)),
            words=[word for word in legend.LEGEND if word in words],
            findings=_without_numbers(findings(board)),
            sections=[
                families(board)[0],
                attacks(board),
                *filter(None, [situations(board), outside.outside(board)]),
                innocents.false_alarms(board),
                costs.fidelity(board),
                protocol.tasks(board),
                protocol.how_it_ran(board),
                limits(board),
                legend.legend(board),
            ],
            version=one_line(board.run.described["version"]),
            style=Markup(_own("page.css")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            squares=compressed(packed_squares(board, found)),
            cells=compressed(packed_cells(board, found)),
        )
    )


def plain_page(title: str, sections: Sequence[Section], version: str) -> str:
    """Sections alone, as one page that fetches nothing and runs no script. version: of the code that made the run."""
    return (
        _environment()
        .get_template("plain.html.j2")
        .render(title=one_line(title), sections=sections, version=one_line(version), style=Markup(_own("page.css")))
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("leaderboard.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"breaks": _breaks, "inline": inline, "paragraphs": _paragraphs}
    return environment


def _without_numbers(section: Section) -> Section:
    """A table without its first column, which numbers the rows."""
    return replace(section, header=section.header[1:], rows=[row[1:] for row in section.rows], align=section.align[1:])


@dataclass(frozen=True)
class _Heat:
    """A square of the heat map. tint: 0 (nothing broken) to 4 (most), None where nothing was judged."""

    kind: str
    tint: int | None
    count: str
    word: str
    more: str = ""


def _map(seen: Overview, *, several: bool) -> dict[str, Any]:
    """The heat map of one track: families of schemes against kinds of attack."""
    auto_too = [AUTO] * (seen.auto is not None)
    return {
        "task": one_line(seen.track.task) if several else "",
        "kinds": [*auto_too, *(column.kind for column in seen.kinds), INNOCENT],
        "given": [column.kind for column in seen.kinds if column.oracle],
        "rows": [
            {"family": one_line(row.name), "settings": len(row.schemes), "squares": list(_heats(row, seen))}
            for row in seen.rows
        ],
    }


def _heats(row: FamilyRow, seen: Overview) -> Iterator[_Heat]:
    if seen.auto is not None:
        found = row.survival.survival if row.survival else Survival.of([])
        yield _heat(AUTO, found.seeds - found.high, found.seeds, "broken", found.high - found.low)
    for column in seen.kinds:
        square = row.at(column)
        word = "forged" if column.claim else "broken"
        committed = f"{square.committed.broken} with commitment" if column.claim and square.broken else ""
        yield _heat(column.kind, square.broken, square.judged, word, square.undecided, committed)
    yield _heat(INNOCENT, row.alarms.count("false-positive"), sum(row.alarms.words.values()), "accused")


def _heat(kind: str, count: int, of: int, word: str, undecided: int = 0, more: str = "") -> _Heat:
    if not of:
        return _Heat(kind, None, "–", "none judged")
    said = filter(None, [f"{undecided} undecided" if undecided else "", more])
    return _Heat(kind, bisect_left(_HEAT, count / of), f"{count}/{of}", word, ", ".join(said))


def _families(board: Board) -> list[tuple[str, list[tuple[str, str]]]]:
    """The families of schemes, with the label and the short name of each setting."""
    short, found = names(board).schemes, dict[str, list[tuple[str, str]]]()
    for row in board.schemes:
        setting = one_line(row.label), one_line(short[row.label])
        found.setdefault(one_line(row.described["name"]), []).append(setting)
    return list(found.items())


def inline(text: Inline, *, breaking: bool = True) -> Markup:
    """Marked text as HTML. breaking: it stands in a table, where a label may break after its signs."""
    written = _breaks if breaking else piece
    return Markup("").join(written(one) if isinstance(one, str) else _marked(one) for one in spans(text))


def _marked(span: Span) -> Markup:
    match span.mark:
        case "strong":
            return Markup("<strong>{}</strong>").format(one_line(span.text))
        case "code":
            return Markup("<code>{}</code>").format(one_line(span.text))
        case "link":
            return Markup('<a href="{}">{}</a>').format(_on_this_page(span.address), one_line(span.text))
        case "break":
            return Markup("<br>")
    return Markup("")


def _on_this_page(address: str) -> str:
    """Where the page itself holds what stands on the page of a scheme or an attack beside it: its own cells."""
    if found := _SCHEME_PAGE.fullmatch(address):
        family, setting, attack = found.groups()
        return f"#{setting or family}/{attack or ''}"
    found = _ATTACK_PAGE.fullmatch(address)
    return f"#/{found[2] or found[1]}" if found else address


def _breaks(label: str) -> Markup:
    """A label that a narrow column may break after its signs."""
    return Markup("<wbr>").join(re.split(r"(?<=[(,+=;|/])(?=\w)", piece(label)))


def _paragraphs(text: Inline) -> list[str]:
    """The paragraphs of a section's text."""
    return [one for one in inline(text, breaking=False).split(Markup("<br>")) if one]


def _own(name: str) -> str:
    return files("leaderboard.pages").joinpath("templates", name).read_text(encoding="utf-8")
