"""`leaderboard.tex`: the matrix as booktabs tables, to be put into a paper with `\\input`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from leaderboard import wording
from leaderboard.board import Board
from leaderboard.cells import Cell
from leaderboard.rows import SchemeRow
from leaderboard.tex import escape
from leaderboard.works import works_of

_COLUMNS = 5  # schemes that fit beside each other; more begin another table


def page(board: Board) -> str:
    """One table for every five schemes of a track, attacks as rows grouped by kind; sources come from works.bib."""
    tables = [
        (part, part.schemes[start : start + _COLUMNS])
        for part in board.parts
        for start in range(0, len(part.schemes), _COLUMNS)
    ]
    head = "% needs \\usepackage{booktabs,array}, and works.bib through \\bibliography{works}\n"
    return head + "\n".join(_table(part, schemes, number) for number, (part, schemes) in enumerate(tables, start=1))


def _table(board: Board, schemes: Sequence[SchemeRow], number: int) -> str:
    columns = f"@{{}}>{{\\raggedright\\arraybackslash}}p{{.27\\linewidth}}{'l' * len(schemes)}@{{}}"
    width = 0.66 / len(schemes)
    headings = [
        f"\\parbox[b]{{{width:.2f}\\linewidth}}{{\\raggedright {_name(row.label, row.described['paper'])}}}"
        for row in schemes
    ]
    lines = [
        "\\begin{table}[p]",
        f"\\caption{{{_caption(board)}}}\\label{{tab:watermark-bench-{number}}}",
        "\\centering\\scriptsize\\setlength{\\tabcolsep}{3pt}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        " & ".join(["attack", *headings]) + r" \\",
    ]
    for kind in board.kinds:
        lines += ["\\midrule", f"\\multicolumn{{{len(schemes) + 1}}}{{@{{}}l}}{{\\emph{{{escape(kind)}}}}} \\\\"]
        for attack in board.attacks:
            if attack.kind == kind:
                squares = [_square(board.at(scheme.label, attack.label)) for scheme in schemes]
                lines.append(" & ".join([_name(attack.label, attack.described["paper"]), *squares]) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}"]) + "\n"


def _caption(board: Board) -> str:
    track, seeds = board.track, board.run.profile["seeds"]
    seeded = "one seed" if seeds == 1 else f"{seeds} seeds"
    return (
        f"Robustness of watermarks on {escape(track.task)} ({seeded}; run {escape(board.run.described['run'])}): "
        "verdict and power of ten of the p-value of what is left of the mark, "
        f"at $\\alpha = {_scientific(board.alpha)}$ and a utility budget of {track.budget:g} {track.unit}."
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


def _square(cells: Sequence[Cell]) -> str:
    """The verdict and log10 p; of several seeds, the words with their counts."""
    if not cells:
        return "--"
    if len(cells) > 1:
        words: dict[str, int] = {}
        for cell in cells:
            words[cell.verdict.word] = words.get(cell.verdict.word, 0) + 1
        return ", ".join(f"{escape(word)}~{count}/{len(cells)}" for word, count in words.items())
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
