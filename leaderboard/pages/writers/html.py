"""`leaderboard.html`: the board as one self-contained page; each square opens its evidence.

Jinja's autoescape guards the markup, `json_for_script` the inline data, a content security policy the rest: only
the page's own script and style may run, and nothing is fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.analysis.sweeps import THIEFS_CHOICE, Curve, choices, curves
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.verdicts import USELESS, Verdict
from leaderboard.pages import wording
from leaderboard.pages.cell_facts import MEANING, cell_facts
from leaderboard.pages.page_model import Inline, Span, one_line, piece, spans
from leaderboard.pages.reproduce_command import reproduce
from leaderboard.pages.sections import auto, costs, innocents, legend, outside, protocol, results
from leaderboard.pages.sections.matrix import scratch
from leaderboard.pages.sections.over_seeds import leading_word
from leaderboard.pages.sections.threat_model import Facts, attack_facts, scheme_facts

INNOCENT = "innocent models"
# what an outcome means for the owner: a tint and a sign beside the word, never instead of it
_LOOKS = {
    "survived": "held", "rejected": "held", "not-marked": "held", "utility-lost": "dear", "undecided": "open",
    "inconsistent": "open", "unreadable": "open",
    "removed": "broken", "unprovable": "broken", "forged": "broken", "false-positive": "broken",
}  # fmt: skip
_SIGNS = {"held": "●", "dear": "◐", "open": "?", "broken": "✕", "none": "–"}
_ORDER = ("broken", "open", "dear", "held", "none")


def page(board: Board) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("leaderboard.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"breaks": _breaks, "inline": inline, "paragraphs": _paragraphs}
    squares: list[dict[str, Any]] = []
    theirs = outside.outside(board)
    boards = list(_boards(board, squares))
    script = _own("page.js")
    return environment.get_template("page.html.j2").render(
        run=one_line(board.run.described["run"]),
        headlines=[(one_line(size), one_line(numbers)) for size, numbers in results.headlines(board)],
        alpha=wording.probability(board.alpha),
        budget=one_line(wording.budgets(board.shown)),
        units=wording.units(board.shown),
        several=wording.about_seeds(board),
        boards=boards,
        words=[word for word in legend.LEGEND if any(word in square["words"] for square in squares)],
        sections=[
            *filter(None, [auto.survival(board)]),
            results.ranked_schemes(board),
            results.ranked_attacks(board),
            *([theirs] if theirs else []),
            innocents.false_alarms(board),
            costs.fidelity(board),
            protocol.tasks(board),
            protocol.how_it_ran(board),
            legend.legend(board),
        ],
        version=one_line(board.run.described["version"]),
        style=Markup(_own("page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=Markup(
            json_for_script(
                {
                    "schemes": [_given(scheme_facts(row.described)) for row in board.schemes],
                    "attacks": [_given(attack_facts(board, row.described)) for row in board.attacks],
                    "meaning": MEANING,
                    "squares": squares,
                }
            )
        ),
    )


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
            return Markup('<a href="{}">{}</a>').format(span.address, one_line(span.text))
        case "break":
            return Markup("<br>")
    return Markup("")


def _breaks(label: str) -> Markup:
    """A label that a narrow column may break after its signs."""
    return Markup("<wbr>").join(re.split(r"(?<=[(,+=;|/])(?=\w)", piece(label)))


def _paragraphs(text: Inline) -> list[str]:
    """The paragraphs of a section's text."""
    return [one for one in inline(text, breaking=False).split(Markup("<br>")) if one]


def json_for_script(value: Any) -> str:
    """JSON that can stand in a script element: no `<`, `>` or `&`, nothing but ASCII."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _own(name: str) -> str:
    return files("leaderboard.pages").joinpath("templates", name).read_text(encoding="utf-8")


def _boards(board: Board, data: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The tables of the matrix, each without the schemes that none of its attacks can be run on.

    What their squares open is added to `data`.
    """
    chosen = choices(board)
    for part in board.parts:
        on = f", {one_line(part.track.task)}" if len(board.parts) > 1 else ""
        everyone = [row.label for row in part.schemes]
        tables: list[tuple[str, Iterable[str], list[str]]] = []
        for kind in part.kinds:
            reached = {cell.scheme for cell in part.owners(kind) if cell.verdict.word != "not-applicable"}
            schemes = [scheme for scheme in everyone if scheme in reached] or everyone
            tables.append((kind, [row.label for row in part.attacks if row.kind == kind], schemes))
        if seen := dict.fromkeys(cell.attack for cell in part.cells if cell.innocent and cell.jobs):
            tables.append((INNOCENT, seen, everyone))
        for kind, labels, schemes in tables:
            rows = []
            for label in labels:
                squares = []
                for scheme in schemes:
                    cells = part.at(scheme, label, innocent=kind == INNOCENT)
                    choice = kind != INNOCENT and (scheme, label) in chosen
                    squares.append(_square(cells, len(data), choice) if cells else None)
                    if cells:
                        data.append(_opened(board, cells))
                rows.append({"attack": one_line(label), "squares": squares})
            about = wording.ABOUT_ORACLES if kind in ORACLE_KINDS else ""
            if kind not in (INNOCENT, *CLAIM_KINDS):
                about = " ".join(filter(None, (about, scratch(part))))
            yield {"kind": kind + on, "about": about, "schemes": [one_line(one) for one in schemes], "rows": rows}


def _square(cells: Sequence[Cell], number: int, chosen: bool) -> dict[str, Any]:
    """Its lines, the verdicts in it, how it looks, and where it stands when its column is sorted."""
    words = list(dict.fromkeys(cell.verdict.word for cell in cells))
    look = min((_look(cell.verdict) for cell in cells), key=_ORDER.index)
    strengths = [max(cell.after.log10_p, -9999.0) for cell in cells if cell.after is not None]
    depth = sum(strengths) / len(strengths) if strengths else 0.0
    lines = [*(one_line(line) for line in wording.square(cells)), *([THIEFS_CHOICE] if chosen else [])]
    first = [cell.verdict for cell in cells if cell.verdict.word == leading_word(lines[0])]
    sign = _SIGNS[min(map(_look, first), key=_ORDER.index)]  # of the word it stands beside; the tint is of the worst
    rank = round(1e5 * _ORDER.index(look) - depth, 2)
    return {"number": number, "lines": lines, "words": words, "look": look, "sign": sign, "rank": rank}


def _look(verdict: Verdict) -> str:
    """A mark that survived in a model without use looks as one that was lost with the utility."""
    return "dear" if USELESS in verdict.flags else _LOOKS.get(verdict.word, "none")


def _opened(board: Board, cells: Sequence[Cell]) -> dict[str, Any]:
    """What a square opens: the facts of its cells, one per seed, and the curves that it is a point of."""
    scheme, attack, innocent = cells[0].scheme, cells[0].attack, cells[0].innocent
    own = [] if innocent else [one for one in curves(board) if one.scheme == scheme and _is_on(attack, one)]
    attacks = [row.label for row in board.attacks]
    return {
        "title": one_line(wording.square_name(cells[0])),
        "scheme": [row.label for row in board.schemes].index(scheme),
        "attack": attacks.index(attack) if attack in attacks else -1,
        "words": list(dict.fromkeys(cell.verdict.word for cell in cells)),
        "curves": [_curve(curve) for curve in own],
        "cells": [
            {"seed": cell.replicate, "sections": cell_facts(board, cell), "command": reproduce(board, cell)}
            for cell in cells
        ],
    }


def _is_on(label: str, curve: Curve) -> bool:
    """Whether the setting is one of the curve's points: the curve's label has `*` where the number is swept."""
    return re.fullmatch(re.escape(curve.attack).replace(r"\*", r"[^,()+]*"), label) is not None


def _curve(curve: Curve) -> dict[str, Any]:
    rows = [
        [
            f"{point.value:g}" + (f" ({THIEFS_CHOICE})" if point.value == curve.choice else ""),
            f"{point.utility_change:+.{wording.DIGITS[curve.unit]}f}",
            wording.graded(point.log10_p, point.grade),
            f"{point.rate:.3g}",
            one_line(point.verdict),
        ]
        for point in curve.points
    ]
    header = [one_line(curve.field), f"utility, {curve.unit}", "evidence", "rate", "verdict"]
    return {"title": f"Curve of {one_line(curve.attack)}", "header": header, "rows": rows}


def _given(facts: Facts) -> Facts:
    return [(name, text) for name, value in facts if (text := one_line(value))]
