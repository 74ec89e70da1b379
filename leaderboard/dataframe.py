"""The judged cells of a run as a pandas table: its columns, declared once, and how a run becomes its rows.

`leaderboard.frame` returns the table, `matrix.csv` holds it, and `python -m leaderboard.dataframe` prints
docs/data-dictionary.md, all from `COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from benchmark.store.records import RecordStore
from leaderboard.analysis.sweeps import choices
from leaderboard.judge.board import Board, judge
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import OWN_POOL, Evidence
from leaderboard.judge.results import Cost
from leaderboard.judge.run import Run, read_run
from leaderboard.judge.summaries import work_share
from leaderboard.stats.utility_test import SCALE, Utility

DType = Literal["category", "string", "bool", "int64", "Int64", "float64"]


@dataclass(frozen=True)
class JudgedCell:
    """One judged cell with what its row needs from around it: the entries of its scheme and attack in run.json."""

    board: Board
    cell: Cell
    scheme: Mapping[str, Any]
    attack: Mapping[str, Any]
    chosen: bool


@dataclass(frozen=True)
class Column:
    """One column: its pandas dtype, the unit of its numbers ("" for words and pure numbers), and how a cell fills it.

    A value that a cell does not have is None: a missing value of the dtype in the table, an empty field in the CSV.
    """

    name: str
    dtype: DType
    unit: str
    meaning: str
    value: Callable[[JudgedCell], object]


def find_board(source: Board | Run | Path | str, alpha: float | None, budget: float | None) -> Board:
    """The board behind `source`, as `leaderboard.frame` describes it."""
    if isinstance(source, Board):
        return source if alpha is None and budget is None else judge(source.run, alpha, budget)
    if isinstance(source, Run):
        return judge(source, alpha, budget)
    folder, published = Path(source), Path(__file__).parent / "published" / source
    if not folder.exists() and published.is_dir():
        folder = published
    store = folder.parent / "store"
    return judge(read_run(folder, RecordStore(store) if store.is_dir() else None), alpha, budget)


def cells(board: Board) -> pd.DataFrame:
    """One row per judged cell in the plan's order, then those of thieves with other data than the matrix's.

    Words are categories in the order in which they occur.
    """
    chosen = choices(board)
    schemes = {row.label: row.described for row in board.schemes}
    attacks = {row.label: row.described for row in board.attacks}
    entries = [
        JudgedCell(board, cell, schemes[cell.scheme], attacks.get(cell.attack, {}),
              not cell.innocent and (cell.scheme, cell.attack) in chosen)
        for cell in (*board.cells, *board.beside)
    ]  # fmt: skip
    return pd.DataFrame({column.name: _series(column, [column.value(one) for one in entries]) for column in COLUMNS})


def _series(column: Column, values: list[Any]) -> pd.Series[Any]:
    if column.dtype != "category":
        return pd.Series(values, dtype=column.dtype)
    words = [value for value in dict.fromkeys(values) if value is not None]
    return pd.Series(pd.Categorical(values, categories=words))


def _evidence(prefix: str, of: str, get: Callable[[Cell], Evidence | None]) -> list[Column]:
    """The columns of the evidence in one model; `of` says which."""

    def column(name: str, dtype: DType, unit: str, meaning: str, read: Callable[[Evidence], object]) -> Column:
        def value(one: JudgedCell) -> object:
            found = get(one.cell)
            return None if found is None else read(found)

        return Column(prefix + name, dtype, unit, meaning, value)

    def pool(found: Evidence, name: str) -> float | None:
        return found.pools.get(OWN_POOL, {}).get(name)

    items, rate, p = "hits, or mean score", "fraction, or mean score", "log10 of a probability"
    return [
        column("state", "category", "", f"Evidence of the key in {of}: present, absent or unclear.", lambda e: e.state),
        column("total", "float64", items, "Hits among the key's items, or the mean of real scores.", lambda e: e.total),
        column("n", "Int64", "items", "Items of the key that were scored.", lambda e: e.n),
        column("rate", "float64", rate, "`total` / `n` for hits, else the mean.", lambda e: e.rate),
        column("log10_p", "float64", p, "The p-value that decides: the larger of log10_p_key and log10_p_null.",
               lambda e: e.log10_p),
        column("log10_p_key", "float64", p, "p of a key drawn independently of this model; missing where there is no "
               "such test.", lambda e: e.log10_p_key),
        column("log10_p_null", "float64", p, "p of this key on an unmarked model; missing without nulls.",
               lambda e: e.log10_p_null),
        column("grade", "category", "", "How far the p-value can be relied on: exact, ranked or extrapolated.",
               lambda e: e.grade),
        column("theta", "float64", items, "Least total with p ≤ alpha, with the nulls there are.", lambda e: e.theta),
        column("theta0", "float64", items, "The same with unlimited nulls.", lambda e: e.theta0),
        column("upper", "float64", rate, "One-sided 95 % upper bound of `rate`.", lambda e: e.upper),
        column("rate_low", "float64", rate, "Lower end of the 95 % interval of `rate` (Wilson; "
               "Student t for real scores).", lambda e: e.interval[0]),
        column("rate_high", "float64", rate, "Its upper end.", lambda e: e.interval[1]),
        column("nulls", "Int64", "models", "Unmarked models of the owner's architecture and data that were scored.",
               lambda e: pool(e, "J")),
        column("null_mean", "float64", items, "Mean total of these nulls.", lambda e: pool(e, "mean")),
        column("null_max", "float64", items, "Largest total of these nulls.", lambda e: pool(e, "max")),
    ]  # fmt: skip


def _utility(name: str, dtype: DType, unit: str, meaning: str, read: Callable[[Utility], object]) -> Column:
    return Column(name, dtype, unit, meaning, lambda one: read(one.cell.utility) if one.cell.utility else None)


def _cost(name: str, dtype: DType, unit: str, meaning: str, read: Callable[[Cost], object]) -> Column:
    return Column(name, dtype, unit, meaning, lambda one: read(one.cell.cost) if one.cell.cost else None)


def _job(role: str, meaning: str) -> Column:
    return Column(f"job_{role}", "string", "", f"Job id of {meaning}.", lambda one: one.cell.jobs.get(role))


def _relative_work(one: JudgedCell) -> float | None:
    return work_share(one.cell.cost, one.board.part_of(one.cell).host_operations)


def _gates(cell: Cell) -> str:
    return "; ".join(f"{name} {gate.state} {_change(gate)}" for name, gate in cell.gates.items())


def _change(gate: Utility) -> str:
    digits = 1 if gate.unit == "points" else 2
    rounded = round(gate.change, digits)
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"


def _channels(cell: Cell) -> str:
    return "; ".join(f"{name} {seen.total:g}/{seen.n}" for name, (_, seen) in cell.channels.items())


UNIT = "points or dB, see `unit`"
COLUMNS = (
    Column("run", "category", "", "Name of the run.", lambda one: one.board.run.described["run"]),
    Column("scheme", "category", "", "Label of the watermark scheme with its parameters.", lambda one: one.cell.scheme),
    Column("attack", "category", "", "Label of the attack with its parameters; `+` joins the stages of a chain.",
           lambda one: one.cell.attack),
    Column("kind", "category", "", "Kind of attack, such as removal, extraction or ambiguity.",
           lambda one: one.cell.kind),
    Column("replicate", "int64", "", "Seed of the cell, counted from 0.", lambda one: one.cell.replicate),
    Column("innocent", "bool", "", "Whether the model is unmarked: it shows whether the key accuses innocent models.",
           lambda one: one.cell.innocent),
    Column("verdict", "category", "", "The verdict, such as survived, removed or forged; the README explains each.",
           lambda one: one.cell.verdict.word),
    Column("reason", "string", "", "Why, where the verdict does not say it.", lambda one: one.cell.verdict.reason),
    Column("flags", "string", "", "Flags beside the verdict, separated by spaces, such as no-better-than-scratch.",
           lambda one: " ".join(one.cell.verdict.flags)),
    Column("verdict_with_commitment", "category", "", "Claims only: the verdict of a court that asks for keys "
           "committed before the release.", lambda one: one.cell.committed and one.cell.committed.word),
    Column("reason_with_commitment", "string", "", "Why that verdict.",
           lambda one: one.cell.committed and one.cell.committed.reason),
    Column("task", "category", "", "Task that the model was trained for.", lambda one: one.cell.task),
    Column("unit", "category", "", "Unit of changes of utility: points (hundredths of accuracy) or dB (PSNR).",
           lambda one: one.cell.unit),
    Column("alpha", "float64", "probability", "Significance level at which the verdict was reached.",
           lambda one: one.board.part_of(one.cell).track.alpha),
    Column("budget", "float64", UNIT, "Loss of utility up to which a model counts as equally useful.",
           lambda one: one.board.part_of(one.cell).track.budget),
    *_evidence("", "the examined model", lambda cell: cell.after),
    *_evidence("fresh_", "the marked model as released", lambda cell: cell.before),
    Column("agreement", "float64", "fraction", "Test images on which examined and released model give the same label.",
           lambda one: one.cell.agreement and one.cell.agreement.labels),
    Column("largest_score_gap", "float64", "", "Largest difference between their outputs over the test images.",
           lambda one: one.cell.agreement and one.cell.agreement.largest_gap),
    Column("accuracy", "float64", "fraction, or dB", "Accuracy on the test images; mean PSNR where `unit` is dB.",
           lambda one: one.cell.accuracy),
    Column("ssim", "float64", "", "Mean structural similarity of its images, in [-1, 1].", lambda one: one.cell.ssim),
    _utility("utility_change", "float64", UNIT, "Change of utility against the released model; a loss is negative.",
             lambda u: u.change),
    _utility("utility_change_low", "float64", UNIT, "Lower end of its 90 % interval.",
             lambda u: -SCALE[u.unit] * u.interval[1]),
    _utility("utility_change_high", "float64", UNIT, "Upper end.", lambda u: -SCALE[u.unit] * u.interval[0]),
    _utility("utility_losses", "Int64", "test images", "Right before and wrong after the attack, or lower in PSNR.",
             lambda u: u.losses),
    _utility("utility_gains", "Int64", "test images", "Wrong before and right after, or higher in PSNR.",
             lambda u: u.gains),
    _utility("utility_items", "Int64", "test images", "Test images compared.", lambda u: u.n),
    _utility("utility_z", "float64", "", "Test statistic at the budget: Tango's z, or Student's t where `unit` is dB.",
             lambda u: u.z),
    _utility("utility_state", "category", "", "Utility at the budget: kept, lost or unclear.", lambda u: u.state),
    _utility("gain_over_doing_nothing", "float64", "dB", "Mean PSNR above that of the degraded input; image-to-image "
             "tasks only.", lambda u: u.gain),
    Column("gates", "string", "", "Further tests of a claim, each with its state and the change of utility.",
           lambda one: _gates(one.cell)),
    Column("channels", "string", "", "Totals of observations that are printed and never decide, as total/items.",
           lambda one: _channels(one.cell)),
    Column("release", "category", "", "What the owner gives out: labels, probabilities, outputs or weights.",
           lambda one: one.scheme.get("release")),
    Column("court", "category", "", "What a court must see of the examined model.",
           lambda one: one.scheme.get("court")),
    Column("access", "category", "", "What the attack needs of the released model.",
           lambda one: one.attack.get("access")),
    Column("family", "category", "", "Family of the attack.", lambda one: one.attack.get("family")),
    Column("thief_pool", "category", "", "Whose images the thief trains on: his own (disjoint) or the owner's (owner).",
           lambda one: one.cell.pool),
    Column("thief_share", "float64", "fraction", "Share of that pool which the thief holds.",
           lambda one: one.cell.share),
    _cost("seconds", "float64", "s", "Time of the job that made the examined model.", lambda c: c.seconds),
    Column("of_training_a_host", "float64", "ratio", "`operations` over those of training one unmarked model.",
           _relative_work),
    _cost("peak_memory_mb", "float64", "MB", "Peak memory of that job.", lambda c: c.peak_memory_mb),
    _cost("steps", "Int64", "optimiser steps", "Gradient steps of that job.", lambda c: c.steps),
    _cost("samples", "Int64", "images", "Images in these steps, counted as often as they were used.",
          lambda c: c.samples),
    _cost("operations", "Int64", "multiply-adds", "Counted work of the layers that ran.", lambda c: c.operations),
    _cost("labelled", "Int64", "images", "Labelled images that were used.", lambda c: c.labelled),
    _cost("unlabelled", "Int64", "images", "Images that were used without labels.", lambda c: c.unlabelled),
    _cost("queries", "Int64", "images", "Images that were sent to the released model.", lambda c: c.queries),
    _job("marked", "the marked model"),
    _job("attacked", "the attacked model"),
    _job("suspect", "the unmarked model, where `innocent`"),
    _job("judged", "the examination of the model"),
    _job("nulls", "the examination of the unmarked models"),
    Column("thiefs_choice", "bool", "", "Whether the thief would choose this setting of a sweep, by his own held-out "
           "images.", lambda one: one.chosen),
)  # fmt: skip


def dictionary() -> str:
    """docs/data-dictionary.md: every column of the table with its type, unit and meaning."""
    head = """# Data dictionary

`leaderboard.frame(run)` returns one row per judged cell as a `pandas.DataFrame`; `matrix.csv` beside every board holds
the same rows, with an empty field for a missing value. `run` is the folder of a run, the folder or the name of a
published board, a `Run` or a `Board`:

```python
from leaderboard import frame

cells = frame("results/quick")  # in a checkout of the repository also frame("quick"), the published board
marked = cells[~cells.innocent]
print(marked.groupby(["scheme", "kind"], observed=True).verdict.value_counts().unstack(fill_value=0))
```

A row is named by `scheme`, `attack`, `replicate`, `innocent`, `thief_pool` and `thief_share`. Types are those of
pandas: a missing value is `NaN` in `float64` and `NA` elsewhere, and categories keep the order of the run.
This page is made by `python -m leaderboard.dataframe > docs/data-dictionary.md`.

| column | type | unit | meaning |
| --- | --- | --- | --- |
"""
    return head + "".join(f"| {c.name} | {c.dtype} | {c.unit or '–'} | {c.meaning} |\n" for c in COLUMNS)


if __name__ == "__main__":
    print(dictionary(), end="")
