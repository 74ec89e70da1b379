"""The figures of a board, drawn without a display, as PNG and SVG with the same bytes every time.

Colours are those of Okabe and Ito (2008), told apart by every common colour vision; a word or a marker's shape says
the same.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter

from leaderboard.analysis.sweeps import Curve
from leaderboard.judge.board import Board
from leaderboard.judge.case_file import counted_pools
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.results import observations
from leaderboard.pages import wording
from leaderboard.pages.md_table import one_line

_DEEPEST = 20.0  # powers of ten: beyond it no reader tells p-values apart, and the axis says so
_LEAST_POINTS = 3  # a line through two settings says less than the matrix does
_STYLE: Any = {
    "svg.hashsalt": "watermark-bench", "svg.fonttype": "path", "text.parse_math": False, "text.usetex": False,
    "font.family": "DejaVu Sans", "font.size": 8.0, "axes.spines.top": False, "axes.spines.right": False,
    "figure.dpi": 100.0, "savefig.dpi": 150.0,
}  # fmt: skip
_TINTS = {
    "survived": "#a6cee8", "rejected": "#a6cee8", "not-marked": "#a6cee8", "utility-lost": "#a3dcc8",
    "undecided": "#f6e49a", "removed": "#f2b48c", "forged": "#f2b48c", "false-positive": "#f2b48c",
}  # fmt: skip
_LEFT_OUT = "#e3e3e3"
_MARKS = {
    "survived": ("o", "#0072b2"), "removed": ("X", "#d55e00"), "utility-lost": ("s", "#009e73"),
    "undecided": ("^", "#8a6a00"),
}  # fmt: skip
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6a00", "#56b4e9", "#000000")


def figures(board: Board, curves: Sequence[Curve] = ()) -> dict[str, bytes]:
    """Every figure there is something to draw for, by file name: matrix, cost, false-positives, curves.

    Where there are several tracks, each has its own matrix and cost, with the task's number in the run behind the name.
    """
    drawn: dict[str, bytes] = {}
    with _style():
        for name, figure in _drawn(board, curves):
            for kind in ("png", "svg"):
                drawn[f"{name}.{kind}"] = _encoded(figure, kind)
    return drawn


def _drawn(board: Board, curves: Sequence[Curve]) -> Iterator[tuple[str, Figure]]:
    for number, part in enumerate(board.parts, start=1):
        suffix = f"-{number}" if number > 1 else ""
        if part.attacks and part.schemes:
            yield f"matrix{suffix}", matrix(part)
        if any(_priced(part, scheme.label) for scheme in part.schemes):
            yield f"cost{suffix}", cost(part)
    if any(_fresh(board, scheme.label) for scheme in board.schemes):
        yield "false-positives", false_positives(board)
    long = [curve for curve in curves if len(curve.points) >= _LEAST_POINTS]
    for number, unit in enumerate(dict.fromkeys(curve.unit for curve in long), start=1):
        suffix = f"-{number}" if number > 1 else ""
        yield f"curves{suffix}", curve_panels(board, [curve for curve in long if curve.unit == unit])


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes: that is not the reader's concern
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield


def _encoded(figure: Figure, kind: str) -> bytes:
    """The figure's file; neither its date nor the library's version is in it."""
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    metadata: dict[str, str | None] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    figure.savefig(file, format=kind, metadata=metadata, bbox_inches="tight")
    return file.getvalue()


def matrix(board: Board) -> Figure:
    """Attacks as rows, grouped by kind, schemes as columns; each square has its word."""
    rows = [(kind, attack.label) for kind in board.kinds for attack in board.attacks if attack.kind == kind]
    columns = [scheme.label for scheme in board.schemes]
    figure = Figure(figsize=(3.2 + 1.15 * len(columns), 1.2 + 0.24 * len(rows)))
    axes = figure.add_subplot()
    for y, (_, attack) in enumerate(rows):
        for x, scheme in enumerate(columns):
            cells = board.at(scheme, attack)
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=_tint(cells), edgecolor="white", linewidth=1.5))
            axes.text(x + 0.5, y + 0.5, _word(cells), ha="center", va="center", fontsize=6.5, color="black")
    for y in range(1, len(rows)):
        if rows[y][0] != rows[y - 1][0]:
            axes.axhline(y, color="black", linewidth=1.0)
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    axes.set_yticks([y + 0.5 for y in range(len(rows))], [_short(label, 44) for _, label in rows])
    axes.set_xticks([x + 0.5 for x in range(len(columns))], [_short(label, 32) for label in columns])
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", labelrotation=25, length=0)
    axes.tick_params(axis="y", length=0)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("left")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _tint(cells: Sequence[Cell]) -> str:
    words = {cell.verdict.word for cell in cells}
    found = {_TINTS.get(word, _LEFT_OUT) for word in words}
    return found.pop() if len(found) == 1 else "#f4f4f4" if found else "#ffffff"


def _word(cells: Sequence[Cell]) -> str:
    if not cells:
        return "–"
    first = wording.square(cells)[0] if len(cells) > 1 else cells[0].verdict.word
    return _short(first, 24)


def cost(board: Board) -> Figure:
    """One panel per scheme: what an attack costs against what it leaves of the mark. Lower left is worse for owners."""
    labels = [scheme.label for scheme in board.schemes if _priced(board, scheme.label)]
    figure, panels = _panels(len(labels))
    seen: set[str] = set()
    for axes, label in zip(panels, labels, strict=True):
        for cell, price in _priced(board, label):
            marker, colour = _MARKS[cell.verdict.word]
            seen.add(cell.verdict.word)
            assert cell.after is not None
            axes.scatter(price, _depth(cell.after.log10_p), marker=marker, color=colour, s=26, alpha=0.85, linewidths=0)
        axes.axhline(-math.log10(board.alpha), color="#505050", linewidth=0.8, linestyle="--")
        axes.set(xscale="log", title=_short(label, 34), ylim=(-0.8, _DEEPEST + 0.8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    unit = "share of the work of training a host" if board.host_operations else "seconds on the device"
    _label(figure, f"cost of the attack, {unit}", f"evidence left, −log10 p (at most {_DEEPEST:.0f})")
    for word in (word for word in _MARKS if word in seen):
        panels[0].scatter([], [], marker=_MARKS[word][0], color=_MARKS[word][1], label=word)
    panels[0].plot([], [], color="#505050", linestyle="--", linewidth=0.8, label=f"alpha {board.alpha:g}")
    _legend(figure, panels[0])
    return figure


def _priced(board: Board, scheme: str) -> list[tuple[Cell, float]]:
    """The attacked cells of a scheme that have both a cost above 0 and evidence, with that cost."""
    found = []
    for cell in board.owners():
        if (
            cell.scheme == scheme
            and cell.verdict.word in _MARKS
            and cell.kind in board.ranked_kinds
            and cell.after
            and cell.cost
        ):
            work = cell.cost.operations
            price = (work or 0) / board.host_operations if board.host_operations else cell.cost.seconds
            if price > 0:
                found.append((cell, price))
    return found


def false_positives(board: Board) -> Figure:
    """One row per scheme: the rates of unmarked models against theta and against the marked model."""
    rows = [(scheme.label, fresh) for scheme in board.schemes if (fresh := _fresh(board, scheme.label))]
    figure = Figure(figsize=(6.4, 1.3 + 0.5 * len(rows)))
    axes = figure.add_subplot()
    for y, (label, (cell, mark)) in enumerate(rows):
        scale = mark.n if mark.kind == "count" else 1
        nulls = [rate for seen in _null_rates(board, cell, mark) if (rate := seen) is not None]
        spread = [y + 0.12 * ((index % 5) - 2) / 2 for index in range(len(nulls))]
        axes.scatter(nulls, spread, marker="o", color="#0072b2", s=16, alpha=0.7, linewidths=0,
                     label="unmarked models" if y == 0 else None)  # fmt: skip
        accused = (c.after for c in board.cells if c.innocent and c.scheme == label and c.after)
        innocents = [seen.rate for seen in accused if not wording.is_unreadable(seen)]
        axes.scatter(innocents, [y + 0.24] * len(innocents), marker="x", color="#505050", s=14, linewidths=0.9,
                     label="the innocent model, attacked" if y == 0 else None)  # fmt: skip
        if mark.theta is not None:
            axes.plot([mark.theta / scale] * 2, [y - 0.35, y + 0.35], color="#d55e00", linewidth=2,
                      label="present from (theta)" if y == 0 else None)  # fmt: skip
        axes.scatter([mark.rate], [y], marker="*", color="#000000", s=60, label="the marked model" if y == 0 else None)
    axes.set_yticks(range(len(rows)), [_short(label, 40) for label, _ in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=f"hits of key items (or mean score), at alpha {board.alpha:g}")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    _legend(figure, axes)
    return figure


def _fresh(board: Board, scheme: str) -> tuple[Cell, Evidence] | None:
    """The scheme's first cell that knows the evidence in the model as delivered."""
    cells = (cell for cell in board.owners() if cell.scheme == scheme and not cell.claim and cell.before)
    for cell in cells:
        if cell.before is not None and not wording.is_unreadable(cell.before):
            return cell, cell.before
    return None


def _null_rates(board: Board, cell: Cell, mark: Evidence) -> Iterator[float | None]:
    """Share of hits (or mean score) of each null on the channel that counts; None where it can't be read."""
    delivered = observations(board.run, cell.jobs["fresh"])[0]["evidence"]
    for seen in (one for job in counted_pools(cell.jobs).values() for one in observations(board.run, job)):
        items: Mapping[str, Sequence[float] | str] | None = seen["channels"].get(delivered)
        if items is None:
            yield None
        elif "hits" in items:
            yield str(items["hits"]).count("1") / mark.n
        else:
            values = [float(value) for value in items["values"]]
            yield sum(values) / len(values)


def curve_panels(board: Board, curves: Sequence[Curve]) -> Figure:
    """One panel per sweep, one line per scheme: utility against what is left of the mark, from weak to strong.

    The curves are in one unit. A ring marks the point that the thief would choose.
    """
    sweeps = list(dict.fromkeys((curve.attack, curve.field) for curve in curves))
    schemes = list(dict.fromkeys(curve.scheme for curve in curves))
    figure, panels = _panels(len(sweeps))
    budgets = {curve.budget for curve in curves if curve.budget is not None}
    for axes, (attack, field) in zip(panels, sweeps, strict=True):
        for curve in (curve for curve in curves if (curve.attack, curve.field) == (attack, field)):
            number = schemes.index(curve.scheme)
            changes = [point.utility_change for point in curve.points]
            depths = [_depth(point.log10_p) for point in curve.points]
            axes.plot(changes, depths, color=_LINES[number % len(_LINES)], marker="os^Dvp*"[number % 7], markersize=4,
                      linewidth=1.1, label=_short(curve.scheme, 34))  # fmt: skip
            for point, change, depth in zip(curve.points, changes, depths, strict=True):
                if point.value == curve.choice:
                    axes.scatter([change], [depth], s=90, facecolors="none", edgecolors="black", linewidths=1.0)
        axes.axhline(-math.log10(board.alpha), color="#505050", linewidth=0.8, linestyle="--")
        for budget in budgets:
            axes.axvline(-budget, color="#505050", linewidth=0.8, linestyle=":")
        axes.set(title=f"{_short(attack, 34)}\nover {_short(field, 34)}", ylim=(-0.8, _DEEPEST + 0.8))
    _label(
        figure,
        f"change of utility, {curves[0].unit} (dotted: budget)",
        f"evidence left, −log10 p (at most {_DEEPEST:.0f})",
    )
    names: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        names |= dict(zip(labels, handles, strict=True))
    figure.legend(list(names.values()), list(names), loc="upper center", ncols=3, frameon=False,
                  bbox_to_anchor=(0.5, 0.0))  # fmt: skip
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """Panels side by side, three in a row, on shared scales."""
    columns = min(3, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(2.7 * columns + 0.6, 2.3 * rows + 0.7), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    panels: list[Axes] = list(grid.flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def _label(figure: Figure, x: str, y: str) -> None:
    figure.supxlabel(x, fontsize=8.5)
    figure.supylabel(y, fontsize=8.5)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="upper center", ncols=5, frameon=False, bbox_to_anchor=(0.5, 0.0))


def _depth(log10_p: float) -> float:
    return min(_DEEPEST, -log10_p)


def _short(text: object, length: int) -> str:
    """Untrusted text on one line of a figure, with its end cut where it is too long."""
    plain = one_line(text)
    return plain if len(plain) <= length else plain[: length - 1] + "…"
