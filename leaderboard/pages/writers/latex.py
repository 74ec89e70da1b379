"""Sections as booktabs tables that break over pages, to be put into a paper with `\\input`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import Inline, Section, Span, spans
from leaderboard.pages.sections.matrix import short_matrix
from leaderboard.pages.writers.tex_escape import escape

_COLUMNS = 4  # that fit beside the first one on a page of 345 pt; more begin another table
_LABELS = 0.27  # of the line, for the first column
_HEAD = "% needs \\usepackage{booktabs,array,longtable} in one column, and works.bib through \\bibliography{works}\n"


def page(board: Board) -> str:
    """`leaderboard.tex`: the short matrix of every track; sources come from works.bib."""
    tables = [table for part in board.parts for table in longtables(short_matrix(part))]
    return _HEAD + "\n".join(table.replace(_NUMBER, str(number)) for number, table in enumerate(tables, start=1))


_NUMBER = "\0"  # of a table, in its label: escaped text never holds it


def longtables(section: Section) -> Iterator[str]:
    """A section whose parts share one header, each part under its own title; as many tables as the columns need."""
    header = section.parts[0].header if section.parts else ["attack"]
    for start in range(1, len(header), _COLUMNS):
        yield _longtable(section, header[0], range(start, min(start + _COLUMNS, len(header))))


def _longtable(section: Section, corner: Inline, columns: range) -> str:
    ragged = r">{\raggedright\arraybackslash}"
    width = f"\\dimexpr{(1 - _LABELS) / _COLUMNS:.4f}\\linewidth-2\\tabcolsep\\relax"
    form = f"@{{}}{ragged}p{{{_LABELS}\\linewidth}}{f'{ragged}p{{{width}}}' * len(columns)}@{{}}"
    headings = _row(
        [inline(corner, breaking=True), *(inline(section.parts[0].header[column], breaking=True) for column in columns)]
    )
    lines = [
        "{\\scriptsize\\setlength{\\tabcolsep}{3pt}\\setlength{\\LTcapwidth}{\\linewidth}",
        f"\\begin{{longtable}}{{{form}}}",
        f"\\caption{{{inline(section.title)}}}\\label{{tab:watermark-bench-{_NUMBER}}} \\\\",
        *("\\toprule", headings, "\\midrule", "\\endfirsthead"),
        *("\\toprule", headings, "\\midrule", "\\endhead"),
        *("\\bottomrule", "\\endfoot"),
    ]
    for index, part in enumerate(section.parts):
        lines += ["\\midrule"] * (index > 0)
        lines += [f"\\multicolumn{{{len(columns) + 1}}}{{@{{}}l}}{{\\emph{{{inline(part.title)}}}}} \\\\*"]
        lines += [
            _row([inline(row[0], breaking=True), *(inline(row[column]) for column in columns)]) for row in part.rows
        ]
    return "\n".join([*lines, "\\end{longtable}}"]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def inline(text: Inline, *, breaking: bool = False) -> str:
    """Marked text as a TeX paragraph. breaking: it is a label, which may break after its signs."""

    def written(words: str) -> str:
        return re.sub(r"(?<=[(,+=])", r"\\allowbreak{}", escape(words)) if breaking else escape(words)

    return "".join(written(one) if isinstance(one, str) else _marked(one) for one in spans(text))


def _marked(span: Span) -> str:
    match span.mark:
        case "strong":
            return f"\\textbf{{{escape(span.text)}}}"
        case "code":
            return f"\\texttt{{{escape(span.text)}}}"
        case "cite":
            return f"~\\cite{{{span.text}}}"
        case "break":
            return "\\newline "
    return escape(span.text)
