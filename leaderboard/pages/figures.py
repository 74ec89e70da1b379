"""The figures of a board, drawn without a display, as PNG, SVG and PDF with the same bytes every time.

Colours are those of Okabe and Ito (2008), told apart by every common colour vision; a word or a marker's shape says
the same.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# A notebook leaves the name of its display in the environment, which matplotlib refuses where the display is not
# installed; it is put back for whoever draws there.
# ruff: noqa: E402
_display = os.environ.pop("MPLBACKEND", None)
import matplotlib as mpl

if _display is not None:
    os.environ["MPLBACKEND"] = _display
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from leaderboard.analysis.sweeps import Curve
from leaderboard.judge.board import Board
from leaderboard.judge.case_file import counted_pools
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.results import null_observations, observations
from leaderboard.pages import wording
from leaderboard.pages.page_model import one_line
from leaderboard.pages.short_names import names

_DEEPEST = 20.0  # powers of ten: beyond it no reader tells p-values apart, and the axis says so
_LEAST_POINTS = 3  # a line through two settings says less than the matrix does
_STYLE: Any = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"} | {  # no matplotlibrc
    "svg.hashsalt": "watermark-bench", "svg.fonttype": "path", "pdf.fonttype": 42,
    "text.parse_math": False, "text.usetex": False,
    "font.family": "DejaVu Sans", "font.size": 8.0, "axes.spines.top": False, "axes.spines.right": False,
    "figure.dpi": 100.0, "savefig.dpi": 150.0,
}  # fmt: skip
_METADATA: Mapping[str, Mapping[str, None]] = {  # by format, what would differ from day to day or between versions
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6a00", "#56b4e9", "#000000")


def figures(board: Board, curves: Sequence[Curve] = ()) -> dict[str, bytes]:
    """Every figure there is something to draw for, by file name: false-positives, and curves in each unit.

    There is none of the matrix, which the HTML page shows with more in every square, and none of cost against
    evidence, whose points can't be told apart: the cost to break names the attacks.
    """
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes: that is not the reader's concern
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        drawn = _drawn(board, curves)
        return {f"{name}.{kind}": _encoded(figure, kind) for name, figure in drawn for kind in _METADATA}


def _drawn(board: Board, curves: Sequence[Curve]) -> Iterator[tuple[str, Figure]]:
    if any(_fresh(board, scheme.label) for scheme in board.schemes):
        yield "false-positives", false_positives(board)
    long = [curve for curve in curves if len(curve.points) >= _LEAST_POINTS]
    for number, unit in enumerate(dict.fromkeys(curve.unit for curve in long), start=1):
        suffix = f"-{number}" if number > 1 else ""
        yield f"curves{suffix}", curve_panels(board, [curve for curve in long if curve.unit == unit])


def _encoded(figure: Figure, kind: str) -> bytes:
    """The figure's file; neither its date nor the library's version is in it."""
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format=kind, metadata=dict(_METADATA[kind]), bbox_inches="tight")
    return file.getvalue()


def false_positives(board: Board) -> Figure:
    """One row per scheme: unmarked models and marked ones, each over the theta of its own seed's key: 1 is present.

    Of two sides, the one where a model shows more.
    """
    rows = [(scheme.label, fresh) for scheme in board.schemes if (fresh := _fresh(board, scheme.label))]
    figure = Figure(figsize=(6.4, 1.3 + 0.5 * len(rows)))
    axes = figure.add_subplot()
    for y, (label, seeds) in enumerate(rows):
        nulls = [_of_theta(mark, rate) for cell, mark in seeds for rate in _null_rates(board, cell, mark)]
        spread = [y + 0.12 * ((index % 5) - 2) / 2 for index in range(len(nulls))]
        axes.scatter(nulls, spread, marker="o", color="#0072b2", s=16, alpha=0.7, linewidths=0, label="unmarked models")
        innocents = [
            _of_theta(one, one.rate) for cell in board.innocents(label) if (one := cell.after) and _is_placed(one)
        ]
        axes.scatter(innocents, [y + 0.24] * len(innocents), marker="x", color="#505050", s=14, linewidths=0.9,
                     label="the innocent model, attacked")  # fmt: skip
        marks = [_of_theta(mark, mark.rate) for _, mark in seeds]
        axes.scatter(marks, [y] * len(marks), marker="*", color="#000000", s=60, label="the marked model")
    axes.axvline(1.0, color="#d55e00", linewidth=2, label="present from (theta)")
    shown = told_apart([label for label, _ in rows], names(board).schemes, 40)
    axes.set_yticks(range(len(rows)), [shown[label] for label, _ in rows])
    said = f"hits (or mean score) over the threshold of the same seed's key, at alpha {board.alpha:g}"
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=said)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    _legend(figure, [axes], columns=5)
    return figure


def _is_placed(seen: Evidence) -> bool:
    """Whether there is a threshold to hold it against."""
    return bool(seen.theta) and not wording.is_unreadable(seen)


def _of_theta(key: Evidence, rate: float) -> float:
    """A rate of hits (or mean score) over the threshold of `key`."""
    assert key.theta is not None
    shown = max(rate, 1 - rate) if key.two_sided else rate
    return shown * (key.n if key.kind == "count" else 1) / key.theta


def _fresh(board: Board, scheme: str) -> list[tuple[Cell, Evidence]]:
    """Of each seed the scheme's first cell that knows its own evidence in the model as delivered, and a threshold."""
    seen = (
        (cell, cell.before)
        for cell in board.owners()
        if cell.scheme == scheme and not (cell.claim or cell.channel) and cell.before
    )
    first: dict[int, tuple[Cell, Evidence]] = {}
    for cell, mark in seen:
        if _is_placed(mark):
            first.setdefault(cell.replicate, (cell, mark))
    return [first[replicate] for replicate in sorted(first)]


def _null_rates(board: Board, cell: Cell, mark: Evidence) -> Iterator[float]:
    """Share of hits (or mean score) of each null that counts and can be read, in the view that decides."""
    channel = mark.view or observations(board.run, cell.jobs["fresh"])[0]["evidence"]
    for seen in (one for job in counted_pools(cell.jobs).values() for one in null_observations(board.run, job)):
        items: Mapping[str, Any] = seen["channels"].get(channel, {})
        if "hits" in items:
            yield items["hits"].count("1") / mark.n
        elif items:
            yield sum(items["values"]) / len(items["values"])


def curve_panels(board: Board, curves: Sequence[Curve]) -> Figure:
    """One panel per sweep, one line per scheme: utility against what is left of the mark, from weak to strong.

    The curves are in one unit. A ring marks the point that the thief would choose.
    """
    sweeps = list(dict.fromkeys((curve.attack, curve.field) for curve in curves))
    schemes = list(dict.fromkeys(curve.scheme for curve in curves))
    figure, panels = _panels(len(sweeps))
    shown = told_apart(schemes, names(board).schemes, 34)
    attacks = told_apart([attack for attack, _ in sweeps], {}, 34)
    budgets = {curve.budget for curve in curves if curve.budget is not None}
    for axes, (attack, field) in zip(panels, sweeps, strict=True):
        for curve in (curve for curve in curves if (curve.attack, curve.field) == (attack, field)):
            number = schemes.index(curve.scheme)
            changes = [point.utility_change for point in curve.points]
            depths = [_depth(point.log10_p) for point in curve.points]
            axes.plot(changes, depths, color=_LINES[number % len(_LINES)], marker="os^Dvp*"[number % 7], markersize=4,
                      linewidth=1.1, label=shown[curve.scheme])  # fmt: skip
            for point, change, depth in zip(curve.points, changes, depths, strict=True):
                if point.value == curve.choice:
                    axes.scatter([change], [depth], s=90, facecolors="none", edgecolors="black", linewidths=1.0)
        axes.axhline(-math.log10(board.alpha), color="#505050", linewidth=0.8, linestyle="--")
        for budget in budgets:
            axes.axvline(-budget, color="#505050", linewidth=0.8, linestyle=":")
        axes.set(title=f"{attacks[attack]}\nover {_short(field, 34)}", ylim=(-0.8, _DEEPEST + 0.8))
    figure.supxlabel(f"change of utility, {curves[0].unit} (dotted: budget)", fontsize=8.5)
    figure.supylabel(f"evidence left, −log10 p (at most {_DEEPEST:.0f})", fontsize=8.5)
    _legend(figure, panels, columns=3)
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


def _legend(figure: Figure, panels: Sequence[Axes], columns: int) -> None:
    """One legend below the panels, each name once."""
    names: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        names |= dict(zip(labels, handles, strict=True))
    figure.legend(list(names.values()), list(names), loc="upper center", ncols=columns, frameon=False,
                  bbox_to_anchor=(0.5, 0.0))  # fmt: skip


def _depth(log10_p: float) -> float:
    return min(_DEEPEST, -log10_p)


def told_apart(labels: Sequence[str], short: Mapping[str, str], length: int) -> dict[str, str]:
    """What each label is called in a figure: its short name where it has one. No two are called the same.

    Where ends that are cut off tell names apart, the middle is cut out instead; then they are numbered.
    """
    plain = {label: one_line(short.get(label, label)) for label in dict.fromkeys(labels)}
    found = {label: _short(name, length) for label, name in plain.items()}
    for label, name in plain.items():
        if list(found.values()).count(found[label]) > 1 and len(name) > length:
            found[label] = f"{name[: length // 2]}…{name[-(length - length // 2 - 1) :]}"
    alike = Counter(found.values())
    numbered = enumerate(found.items(), start=1)
    return {label: f"{name} ({number})" if alike[name] > 1 else name for number, (label, name) in numbered}


def _short(text: object, length: int) -> str:
    """Untrusted text on one line of a figure, with its end cut where it is too long."""
    plain = one_line(text)
    return plain if len(plain) <= length else plain[: length - 1] + "…"
