"""One table for a two-column paper: attacks down, schemes across, what withstood out of what was judged.

It needs booktabs alone and is never broken over pages: what doesn't fit one is refused. `latex.py` writes all of a
board, page after page.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from benchmark.description import did_you_mean
from benchmark.errors import BenchError
from leaderboard.analysis.auto import picks
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, one_line, strong
from leaderboard.pages.short_names import attack_name, names
from leaderboard.pages.writers import markdown
from leaderboard.pages.writers.tex_escape import escape

Grouping = Literal["family", "setting"]
_COLUMN, _PAGE, _TALL = 240.0, 500.0, 560.0  # points: one column of a paper, both, and how high a table may be
_LETTER, _GAP, _LINE = 4.4, 6.0, 10.0  # points of \footnotesize: a letter, the gap between columns, a line
_LETTERS = {"broken": "b", "undecided": "u", "useless": "l"}


@dataclass(frozen=True)
class PaperSquare:
    """What is printed, and how good it is for the owner: the greatest of a row is in bold. None: there is nothing."""

    text: str
    good: tuple[float, float] | None


@dataclass(frozen=True)
class PaperTable:
    """columns: names of schemes. groups: kinds of attack, each with its rows, a name and a square for each column."""

    caption: str
    columns: Sequence[str]
    groups: Sequence[tuple[str, Sequence[tuple[str, Sequence[PaperSquare]]]]]


def paper_table(board: Board, schemes: str, attacks: str, rows: Grouping) -> PaperTable:
    """The table of these schemes and attacks: names, labels or patterns such as `adi,pass*`, or `all`.

    rows: "family": attacks and schemes with all their settings together; "setting": each by itself. Raises BenchError
    for a name that the board has not.
    """
    known = names(board)
    down = _chosen("attack", attacks, {row.label: attack_name(row.described) for row in board.attacks}, known.attacks)
    across = _chosen("scheme", schemes, known.families, known.schemes)
    columns = _grouped(across, known.families, known.schemes, rows)
    powers = rows == "setting" and int(board.run.profile["seeds"]) == 1
    square = _power if powers else _share
    groups: list[tuple[str, list[tuple[str, list[PaperSquare]]]]] = []
    if attacks == "all":
        groups.append(("", [("auto", _squares(square, columns, [cell for _, cell in picks(board)]))]))
    for kind in (kind for kind in board.kinds if kind != "control"):
        labels = [row.label for row in board.attacks if row.kind == kind and row.label in down]
        found = []
        for name, those in _grouped(labels, known.plugins, known.attacks, rows).items():
            cells = [cell for cell in board.cells if not cell.innocent and cell.attack in those]
            found.append((name, _squares(square, columns, cells)))
        groups.append((kind, found))
    shown = [(kind, judged) for kind, found in groups if (judged := [one for one in found if _says(one[1])])]
    if not shown:
        raise BenchError("none of these attacks was judged on one of these schemes: choose others")
    return PaperTable(_caption(board, powers), list(columns), shown)


def _chosen(what: str, wanted: str, families: Mapping[str, str], short: Mapping[str, str]) -> list[str]:
    """The labels that a list of names and patterns selects, in the board's order. families, short: names by label."""
    if wanted == "all":
        return list(short)
    found: set[str] = set()
    for word in filter(None, (word.strip() for word in re.split(r",(?![^(]*\))", wanted))):
        those = {label for label in short if any(fnmatchcase(name, word) or name == word for name in
                                                 (label, families[label], short[label]))}  # fmt: skip
        if not those:
            known = {*families.values(), *short}
            raise BenchError(f"this run has no {what} {word!r}: {did_you_mean(word, known, 'there are')}")
        found |= those
    if not found:
        raise BenchError(f"--{what}s selects nothing: name one, or give all")
    return [label for label in short if label in found]


def _grouped(
    labels: Sequence[str], families: Mapping[str, str], short: Mapping[str, str], rows: Grouping
) -> dict[str, list[str]]:
    """The labels behind each name that is printed."""
    found: dict[str, list[str]] = {}
    for label in labels:
        found.setdefault(families[label] if rows == "family" else short[label], []).append(label)
    return found


def _squares(
    square: Callable[[Sequence[Cell]], PaperSquare], columns: Mapping[str, Sequence[str]], cells: Sequence[Cell]
) -> list[PaperSquare]:
    return [square([cell for cell in cells if cell.scheme in those]) for those in columns.values()]


def _share(cells: Sequence[Cell]) -> PaperSquare:
    """Withstood of judged, `3–4/5` where one more would be with the undecided one."""
    tally = Tally.of(cell.verdict for cell in cells)
    return PaperSquare(wording.rejected(tally), tally.shares if tally.judged else None)


def _power(cells: Sequence[Cell]) -> PaperSquare:
    """The power of ten of the p-value of one cell, behind it a letter where the mark was not held."""
    tally = Tally.of(cell.verdict for cell in cells)
    if not tally.judged or cells[0].after is None:
        return PaperSquare("–", None)
    letter = next((sign for word, sign in _LETTERS.items() if getattr(tally, word)), "")
    power = max(cells[0].after.log10_p, -999.0)
    digits = f"{power:.1f}" if power > -9.95 else f"{power:.0f}"
    text = "0" if float(digits) == 0 else digits.replace("-", "−")
    return PaperSquare(f"{text} {letter}".rstrip(), (tally.shares[0], -power))


def _says(squares: Sequence[PaperSquare]) -> bool:
    return any(one.good is not None for one in squares)


def _marked(squares: Sequence[PaperSquare]) -> Iterator[tuple[str, bool]]:
    """What is printed, and whether it is the best of its row; where all are alike, none stands out."""
    seen = {one.good for one in squares if one.good is not None}
    best = max(seen) if len(seen) > 1 else None
    return ((one.text, best is not None and one.good == best) for one in squares)


def _caption(board: Board, powers: bool) -> str:
    seeds = int(board.run.profile["seeds"])
    what = (
        "powers of ten of the p-value of what is left of the mark; b: broken, u: undecided, l: the thief lost the use "
        "of the model"
        if powers
        else "marks and claims that were withstood, of those judged (3–4/5: one is undecided)"
    )
    return (
        f"Robustness of watermarks on {' and '.join(track.task for track in board.shown)}: {what}. "
        f"{'One seed' if seeds == 1 else f'{seeds} seeds'}, α = {wording.probability(board.alpha)}, budget "
        f"{wording.budgets(board.shown)}. Bold: the best of a row. watermark-bench {board.run.described['version']}, "
        f"run {board.run.described['run']}."
    )


def as_tex(table: PaperTable) -> str:
    """The table as a float of one column, or of both where it needs them. Raises BenchError where no page holds it."""
    width, height = _size(table)
    if width > _PAGE:
        raise BenchError(f"{len(table.columns)} columns don't fit a page: choose fewer --schemes, or --rows family")
    if height > _TALL:
        count = sum(len(rows) for _, rows in table.groups)
        raise BenchError(f"{count} rows don't fit a page: choose fewer --attacks, or --rows family")
    float_ = "table*" if width > _COLUMN else "table"
    head = [_stacked(name) for name in table.columns]
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{{float_}}}[t]",
        "\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
        f"\\caption{{{escape(table.caption)}}}\\label{{tab:watermark-bench}}",
        f"\\begin{{tabular}}{{@{{}}l{'r' * len(head)}@{{}}}}",
        "\\toprule",
        f"attack & {' & '.join(head)} \\\\",
    ]
    for kind, rows in table.groups:
        lines.append("\\midrule")
        if kind:
            lines.append(f"\\multicolumn{{{len(head) + 1}}}{{@{{}}l}}{{\\emph{{{escape(kind)}}}}} \\\\")
        for name, squares in rows:
            said = [f"\\textbf{{{escape(text)}}}" if bold else escape(text) for text, bold in _marked(squares)]
            lines.append(f"{_begin(one_line(name))} & {' & '.join(said)} \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", f"\\end{{{float_}}}"]) + "\n"


def _stacked(name: str) -> str:
    """A name in the head of a column, a word on each line."""
    words = r" \\ ".join(map(_begin, one_line(name).split()))
    return rf"\shortstack[r]{{{words}}}"


def _begin(text: str) -> str:
    """Escaped text that follows the end of a row, which would take a bracket or a star for its own."""
    return f"{{}}{escape(text)}" if text.startswith(("[", "*")) else escape(text)


def _size(table: PaperTable) -> tuple[float, float]:
    """Width and height in points, rather too large than too small."""
    rows = [row for _, group in table.groups for row in group]
    widths = [max(len(name) for name, _ in rows)]
    for number, column in enumerate(table.columns):
        widths.append(max(*(len(word) for word in column.split()), *(len(row[number].text) for _, row in rows)))
    lines = len(rows) + len(table.groups) + max(len(name.split()) for name in table.columns) + 6
    return _LETTER * sum(widths) + _GAP * len(table.columns), _LINE * lines


def as_markdown(table: PaperTable) -> str:
    """A pipe table under its caption."""
    rows: list[list[Inline]] = []
    for kind, group in table.groups:
        for name, squares in group:
            rows.append([kind, name, *(strong(text) if bold else text for text, bold in _marked(squares))])
    header = ["kind", "attack", *table.columns]
    section = Section(header=header, rows=rows, align="ll" + "r" * len(table.columns))
    return f"{markdown.escape(table.caption)}\n\n{markdown.table(section)}\n"


def as_csv(table: PaperTable) -> str:
    """A line for each row, the kind of attack before its name."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["kind", "attack", *table.columns])
    for kind, rows in table.groups:
        writer.writerows([kind, name, *(one.text for one in squares)] for name, squares in rows)
    return file.getvalue()


TABLE_FORMATS = {"tex": as_tex, "md": as_markdown, "csv": as_csv}
