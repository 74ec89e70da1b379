"""The judged cells of a run as a pandas table: its columns, declared once, and how a run becomes its rows.

`leaderboard.frame` returns the table, `matrix.csv` holds it, and `python -m leaderboard.dataframe` prints the table of
docs/data-dictionary.md, all from `COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from operator import itemgetter, methodcaller
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from leaderboard.analysis.auto import picks
from leaderboard.analysis.sweeps import choices
from leaderboard.judge.board import Board, judge
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import OWN_POOL
from leaderboard.judge.published import PREFIX, board_names, published_folder
from leaderboard.judge.rules import RULES
from leaderboard.judge.run import Run, find_run
from leaderboard.judge.summaries import work_share
from leaderboard.stats.scores import ChannelTotal
from leaderboard.stats.utility_test import SCALE, Utility

DType = Literal["category", "string", "bool", "boolean", "int64", "Int64", "float64"]


@dataclass(frozen=True)
class JudgedCell:
    """One judged cell with what its row needs from around it: the entries of its scheme and attack in run.json.

    part: the board of its track. member: of the ensemble `auto`, where the row is the ensemble's.
    """

    part: Board
    cell: Cell
    scheme: Mapping[str, Any]
    attack: Mapping[str, Any]
    chosen: bool
    member: str | None = None

    @property
    def of_a_host(self) -> float | None:
        return work_share(self.cell.cost, self.part.host_operations)


@dataclass(frozen=True)
class Column:
    """One column: its pandas dtype, the unit of its numbers ("" for words and pure numbers), and how a cell fills it.

    path: dotted attributes of `JudgedCell`; by default the field of the cell that is called as the column is. then:
    what is made of that. A value that a cell does not have is None: a missing value of the dtype in the table, an empty
    field in the CSV.
    """

    name: str
    dtype: DType
    unit: str
    meaning: str
    path: str = ""
    then: Callable[[Any], object] | None = None

    @cached_property
    def _steps(self) -> tuple[str, ...]:
        return tuple((self.path or f"cell.{self.name}").split("."))

    def values(self, found: Callable[[tuple[str, ...]], list[Any]]) -> list[Any]:
        """The column. found: what all cells have at the end of dotted attributes."""
        then, have = self.then, found(self._steps)
        return have if then is None else [None if one is None else then(one) for one in have]


def find_board(
    source: Board | Run | Path | str, alpha: float | None, budget: float | None, strict: bool | None
) -> Board:
    """The board behind `source`, as `leaderboard.frame` describes it."""
    if isinstance(source, Board):
        return source if alpha is budget is strict is None else judge(source.run, alpha, budget, strict=strict)
    if isinstance(source, Run):
        return judge(source, alpha, budget, strict=strict)
    folder = Path(source)
    if str(source).startswith(PREFIX) or (not folder.exists() and str(source) in board_names()):
        folder = published_folder(str(source))
    return judge(find_run(folder), alpha, budget, strict=strict)


def cells(board: Board) -> pd.DataFrame:
    """One row per judged cell in the plan's order, then those of thieves with other data than the matrix's; where the
    run has the ensemble `auto`, then one more for each scheme and seed, the member's cell that stands for it.

    Words are categories in the order in which they occur.
    """
    chosen = choices(board)
    schemes = {row.label: row.described for row in board.schemes}
    attacks = {row.label: row.described for row in board.attacks}
    entries = [
        JudgedCell(board.part_of(cell), cell, schemes[cell.scheme], attacks.get(cell.attack, {}),
              not cell.innocent and (cell.scheme, cell.attack) in chosen)
        for cell in (*board.cells, *board.beside)
    ]  # fmt: skip
    entries += [
        JudgedCell(board.part_of(cell), replace(cell, attack="auto", kind="auto"), schemes[cell.scheme],
                   attacks[member], chosen=False, member=member)
        for member, cell in picks(board)
    ]  # fmt: skip

    @cache
    def found(steps: tuple[str, ...]) -> list[Any]:
        """What each entry has there, None from the first that is missing on: many columns share their first steps."""
        if not steps:
            return entries
        return [None if one is None else getattr(one, steps[-1]) for one in found(steps[:-1])]

    return pd.DataFrame({column.name: _series(column, column.values(found)) for column in COLUMNS})


def _series(column: Column, values: list[Any]) -> pd.Series[Any]:
    if column.dtype != "category":
        return pd.Series(values, dtype=column.dtype)
    words = [value for value in dict.fromkeys(values) if value is not None]
    return pd.Series(pd.Categorical(values, categories=words))


def _evidence(prefix: str, part: str, of: str) -> list[Column]:
    """The columns of the evidence in one model: `part` of the cell; `of` says which."""

    def column(name: str, dtype: DType, unit: str, meaning: str, field: str = "", then: Any = None) -> Column:
        return Column(prefix + name, dtype, unit, meaning, f"cell.{part}.{field or name}", then)

    def of_pool(name: str) -> Callable[[Any], object]:
        return lambda pools: pools.get(OWN_POOL, {}).get(name)

    items, rate, p = "hits, or mean score", "fraction, or mean score", "log10 of a probability"
    return [
        column("state", "category", "", f"Evidence of the key in {of}: present, absent or unclear."),
        column("total", "float64", items, "Hits among the key's items, or the mean of real scores."),
        column("n", "Int64", "items", "Items of the key that were scored."),
        column("rate", "float64", rate, "`total` / `n` for hits, else the mean."),
        column("log10_p", "float64", p, "The p-value that decides: log10_p_key where its law is exact, else the "
               "larger of log10_p_key and log10_p_null; of k views the least, k-fold."),
        column("log10_p_key", "float64", p, "p of a key drawn independently of this model; missing where there is no "
               "such test."),
        column("log10_p_null", "float64", p, "p of this key on an unmarked model; missing without nulls. Below "
               "1 / (nulls + 1) it is extrapolated."),
        column("grade", "category", "", "How log10_p is known: exact, ranked or extrapolated."),
        column("inverted", "boolean", "", "Whether it is the misses that prove the mark."),
        column("view", "string", "", "Which of several views of the model this is of."),
        column("views", "string", "", "Totals of all these views, as total/items.", then=_totals),
        column("innocents_as_high", "Int64", "models", "Unmarked models that score as high, beside an exact p-value.",
               "innocents.as_high"),
        column("theta", "float64", items, "Least total with p ≤ alpha, with the nulls there are."),
        column("theta0", "float64", items, "The same with unlimited nulls."),
        column("upper", "float64", rate, "One-sided 95 % upper bound of `rate`."),
        column("rate_low", "float64", rate, "Lower end of the 95 % interval of `rate` (Wilson; "
               "Student t for real scores).", "interval", itemgetter(0)),
        column("rate_high", "float64", rate, "Its upper end.", "interval", itemgetter(1)),
        column("nulls", "Int64", "models", "Unmarked models of the owner's architecture and data that were scored.",
               "pools", of_pool("J")),
        column("null_mean", "float64", items, "Mean total of these nulls.", "pools", of_pool("mean")),
        column("null_max", "float64", items, "Largest total of these nulls.", "pools", of_pool("max")),
    ]  # fmt: skip


def _utility(name: str, dtype: DType, unit: str, meaning: str, field: str = "") -> Column:
    return Column(f"utility_{name}", dtype, unit, meaning, f"cell.utility.{field or name}")


def _cost(name: str, dtype: DType, unit: str, meaning: str) -> Column:
    return Column(name, dtype, unit, meaning, f"cell.cost.{name}")


def _described(name: str, of: str, meaning: str) -> Column:
    """A column from the entry of the scheme or the attack in run.json."""
    return Column(name, "category", "", meaning, of, methodcaller("get", name))


def _job(role: str, meaning: str) -> Column:
    return Column(f"job_{role}", "string", "", f"Job id of {meaning}.", "cell.jobs", methodcaller("get", role))


def _gates(gates: Mapping[str, Utility]) -> str:
    return "; ".join(f"{name} {gate.state} {_change(gate)}" for name, gate in gates.items())


def _totals(seen: Mapping[str, ChannelTotal]) -> str | None:
    return "; ".join(f"{name} {one.total:g}/{one.n}" for name, one in seen.items()) or None


def _change(gate: Utility) -> str:
    digits = 1 if gate.unit == "points" else 2
    rounded = round(gate.change, digits)
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"


UNIT = "points or dB, see `unit`"
COLUMNS = (
    Column("run", "category", "", "Name of the run.", "part.run.described", itemgetter("run")),
    Column("scheme", "category", "", "Label of the watermark scheme with its parameters."),
    Column("attack", "category", "", "Label of the attack with its parameters; `+` joins the stages of a chain."),
    Column("kind", "category", "", "Kind of attack, such as removal, extraction or ambiguity."),
    Column("replicate", "int64", "", "Seed of the cell, counted from 0."),
    Column("innocent", "bool", "", "Whether the model is unmarked: it shows whether the key accuses innocent models."),
    Column("verdict", "category", "", "The verdict, such as survived, removed or forged; the README explains each.",
           "cell.verdict.word"),
    Column("reason", "string", "", "Why, where the verdict does not say it.", "cell.verdict.reason"),
    Column("flags", "string", "", "Flags beside the verdict, separated by spaces, such as no-better-than-scratch.",
           "cell.verdict.flags", " ".join),
    Column("verdict_with_commitment", "category", "", "Claims only: the verdict of a court that asks for keys "
           "committed before the release.", "cell.committed.word"),
    Column("reason_with_commitment", "string", "", "Why that verdict.", "cell.committed.reason"),
    Column("task", "category", "", "Task that the model was trained for."),
    Column("unit", "category", "", "Unit of changes of utility: points (hundredths of accuracy) or dB (PSNR)."),
    Column("rules", "int64", "", "Version of the rules that the verdict follows from.", "cell.scheme",
           lambda scheme: RULES),
    Column("alpha", "float64", "probability", "Significance level at which the verdict was reached.", "part.alpha"),
    Column("budget", "float64", UNIT, "Loss of utility up to which a model counts as equally useful.",
           "part.track.budget"),
    *_evidence("", "after", "the examined model"),
    *_evidence("fresh_", "before", "the marked model as released"),
    Column("agreement", "float64", "fraction", "Test images on which examined and released model give the same label.",
           "cell.agreement.labels"),
    Column("largest_score_gap", "float64", "", "Largest difference between their outputs over the test images.",
           "cell.agreement.largest_gap"),
    Column("accuracy", "float64", "fraction, or dB", "Accuracy on the test images; mean PSNR where `unit` is dB."),
    Column("ssim", "float64", "", "Mean structural similarity of its images, in [-1, 1]."),
    _utility("change", "float64", UNIT, "Change of utility against the released model; a loss is negative."),
    Column("utility_change_low", "float64", UNIT, "Lower end of its 90 % interval.", "cell.utility",
           lambda u: -SCALE[u.unit] * u.interval[1]),
    Column("utility_change_high", "float64", UNIT, "Upper end.", "cell.utility",
           lambda u: -SCALE[u.unit] * u.interval[0]),
    _utility("losses", "Int64", "test images", "Right before and wrong after the attack, or lower in PSNR."),
    _utility("gains", "Int64", "test images", "Wrong before and right after, or higher in PSNR."),
    _utility("items", "Int64", "test images", "Test images compared.", "n"),
    _utility("z", "float64", "", "Test statistic at the budget: Tango's z, or Student's t where `unit` is dB."),
    _utility("state", "category", "", "Utility at the budget: kept, lost or unclear."),
    Column("change_against_unmarked", "float64", UNIT, "Change of utility against an unmarked net that was trained as "
           "long as the marked one.", "cell.against_twin.change"),
    Column("change_against_unmarked_low", "float64", UNIT, "Lower end of its 90 % interval.", "cell.against_twin",
           lambda u: -SCALE[u.unit] * u.interval[1]),
    Column("change_against_unmarked_high", "float64", UNIT, "Upper end.", "cell.against_twin",
           lambda u: -SCALE[u.unit] * u.interval[0]),
    Column("gain_over_doing_nothing", "float64", "dB", "Mean PSNR above that of the degraded input; image-to-image "
           "tasks only.", "cell.utility.gain"),
    Column("gates", "string", "", "Further tests of a claim, each with its state and the change of utility.",
           then=_gates),
    Column("channels", "string", "", "Totals of observations that are printed and never decide, as total/items.",
           then=lambda seen: _totals({name: one for name, (_, one) in seen.items()})),
    Column("deciding_channel", "category", "", "The channel that decided in place of the scheme's own, since the "
           "attack names it; missing where it names none.", "cell.channel", lambda one: one or None),
    _described("release", "scheme", "What the owner gives out: labels, probabilities, outputs or weights."),
    _described("court", "scheme", "What a court must see of the examined model."),
    _described("access", "attack", "What the attack needs of the released model."),
    _described("family", "attack", "Family of the attack."),
    Column("thief_pool", "category", "", "Whose images the thief trains on: his own (disjoint) or the owner's (owner).",
           "cell.thief.pool"),
    Column("thief_labelled", "Int64", "images", "Images of that pool which he has with their labels.",
           "cell.thief.labelled"),
    Column("thief_unlabelled", "Int64", "images", "Images of it which he has without labels.",
           "cell.thief.unlabelled"),
    Column("thief_share", "float64", "fraction", "Share of that pool which he has, with labels: older runs.",
           "cell.thief.share"),
    Column("key_images", "Int64", "images", "Images of the owner's key, if they were looked for in the thief's pool.",
           "cell.overlap.of"),
    Column("key_images_held", "Int64", "images", "How many of them the thief held.", "cell.overlap.held"),
    _cost("seconds", "float64", "s", "Time of the job that made the examined model."),
    Column("of_training_a_host", "float64", "ratio", "`operations` over those of training one unmarked model.",
           "of_a_host"),
    _cost("peak_memory_mb", "float64", "MB", "Peak memory of that job."),
    _cost("steps", "Int64", "optimiser steps", "Gradient steps of that job."),
    _cost("samples", "Int64", "images", "Images in these steps, counted as often as they were used."),
    _cost("operations", "Int64", "multiply-adds", "Counted work of the layers that ran."),
    _cost("labelled", "Int64", "images", "Labelled images that were used."),
    _cost("unlabelled", "Int64", "images", "Images that were used without labels."),
    _cost("queries", "Int64", "images", "Images that were sent to the released model."),
    _job("marked", "the marked model"),
    _job("twin", "the unmarked model that was trained as long"),
    _job("attacked", "the attacked model"),
    _job("suspect", "the unmarked model, where `innocent`"),
    _job("judged", "the examination of the model"),
    _job("nulls", "the examination of the unmarked models"),
    Column("member", "category", "", "The member whose cell stands for the ensemble, in the rows of `auto` alone.",
           "member"),
    Column("thiefs_choice", "bool", "", "Whether the thief would choose this setting of a sweep, by his own held-out "
           "images.", "chosen"),
)  # fmt: skip


def dictionary() -> str:
    """The table of docs/data-dictionary.md: every column with its type, unit and meaning."""
    head = "| column | type | unit | meaning |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {c.name} | {c.dtype} | {c.unit or '–'} | {c.meaning} |\n" for c in COLUMNS)


if __name__ == "__main__":
    print(dictionary(), end="")
