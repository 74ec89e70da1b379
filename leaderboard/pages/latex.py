"""`leaderboard.tex`: the matrix as booktabs tables that break over pages, to be put into a paper with `\\input`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.summaries import SchemeRow
from leaderboard.pages import wording
from leaderboard.pages.bibliography import works_of
from leaderboard.pages.tex_escape import escape

_COLUMNS = 4  # schemes that fit beside each other on a page of 345 pt; more begin another table
_LABELS = 0.27  # of the line, for the attacks


def page(board: Board) -> str:
    """One table for every four schemes of a track, attacks as rows grouped by kind; sources come from works.bib."""
    tables = [
        (part, part.schemes[start : start + _COLUMNS])
        for part in board.parts
        for start in range(0, len(part.schemes), _COLUMNS)
    ]
    head = "% needs \\usepackage{booktabs,array,longtable} in one column, and works.bib through \\bibliography{works}\n"
    return head + "\n".join(_table(part, schemes, number) for number, (part, schemes) in enumerate(tables, start=1))


def _table(board: Board, schemes: Sequence[SchemeRow], number: int) -> str:
    ragged = r">{\raggedright\arraybackslash}"
    width = f"\\dimexpr{(1 - _LABELS) / _COLUMNS:.4f}\\linewidth-2\\tabcolsep\\relax"
    columns = f"@{{}}{ragged}p{{{_LABELS}\\linewidth}}{f'{ragged}p{{{width}}}' * len(schemes)}@{{}}"
    headings = " & ".join(["attack", *(_name(row.label, row.described["paper"]) for row in schemes)]) + r" \\"
    lines = [
        "{\\scriptsize\\setlength{\\tabcolsep}{3pt}\\setlength{\\LTcapwidth}{\\linewidth}",
        f"\\begin{{longtable}}{{{columns}}}",
        f"\\caption{{{_caption(board)}}}\\label{{tab:watermark-bench-{number}}} \\\\",
        *("\\toprule", headings, "\\midrule", "\\endfirsthead"),
        *("\\toprule", headings, "\\midrule", "\\endhead"),
        *("\\bottomrule", "\\endfoot"),
    ]
    for index, kind in enumerate(board.kinds):
        lines += ["\\midrule"] * (index > 0)
        lines += [f"\\multicolumn{{{len(schemes) + 1}}}{{@{{}}l}}{{\\emph{{{escape(kind)}}}}} \\\\*"]
        for attack in board.attacks:
            if attack.kind == kind:
                squares = [_square(board.at(scheme.label, attack.label), _seeds(board) > 1) for scheme in schemes]
                lines.append(" & ".join([_name(attack.label, attack.described["paper"]), *squares]) + r" \\")
    return "\n".join([*lines, "\\end{longtable}}"]) + "\n"


def _seeds(board: Board) -> int:
    return int(board.run.profile["seeds"])


def _caption(board: Board) -> str:
    track, seeds = board.track, _seeds(board)
    seeded = "one seed" if seeds == 1 else f"{seeds} seeds"
    shown = (
        "verdict and power of ten of the p-value of what is left of the mark" if seeds == 1
        else "verdicts, each with the number of seeds in which it fell"
    )  # fmt: skip
    return (
        f"Robustness of watermarks on {escape(track.task)} ({seeded}; run {escape(board.run.described['run'])}): "
        f"{shown}, at $\\alpha = {_scientific(board.alpha)}$ and a utility budget of {track.budget:g} {track.unit}."
    )


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.3g}".split("e") if "e" in f"{value:.3g}" else (f"{value:.3g}", "")
    if not exponent:
        return mantissa
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else f"{mantissa} \\cdot {power}"


def _name(label: str, paper: str) -> str:
    """A label that may break after its signs, with what it cites."""
    broken = re.sub(r"(?<=[(,+=])", r"\\allowbreak{}", escape(label))
    keys = ",".join(work.key for work in works_of(paper))
    return f"{broken}~\\cite{{{keys}}}" if keys else broken


def _square(cells: Sequence[Cell], counted: bool) -> str:
    """The verdict and log10 p; counted, for runs of several seeds: the words, each with its count."""
    words = [cell.verdict.word for cell in cells]
    if set(words) <= {"not-applicable"}:
        return "--"
    if counted:
        return ", ".join(map(escape, wording.counted(words, len(cells))))
    cell = cells[0]
    if cell.after is None:
        return escape(cell.verdict.word)
    power = "unreadable" if wording.is_unreadable(cell.after) else _power(cell.after.log10_p)
    return f"{escape(cell.verdict.word)} {power}"


def _power(log10_p: float) -> str:
    if log10_p == -float("inf"):
        return "$p=0$"
    digits = f"{log10_p:.1f}" if log10_p > -10 else f"{log10_p:.0f}"
    return f"${0 if float(digits) == 0 else digits}$"
