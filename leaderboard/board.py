"""The board of a run: every cell's verdict at one alpha and one budget, and what rows and columns add up to.

Pure functions of records. Boards (kinds of attack) are never summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from benchmark.errors import BenchError
from leaderboard.cells import Cell, Court, cost_of, judge_cell, thief_of
from leaderboard.rows import KINDS, AttackRow, SchemeRow, attack_row, scheme_row
from leaderboard.run import Run, read_run

__all__ = ["Board", "Run", "judge", "judge_cells", "read_run"]


@dataclass(frozen=True)
class Board:
    """All that the pages say, at one alpha and one budget (points). `cells` are in the plan's order.

    beside: the cells of thieves with other images than the matrix's; only curves speak of them.
    """

    run: Run
    alpha: float
    budget: float
    cells: Sequence[Cell]
    schemes: Sequence[SchemeRow]
    attacks: Sequence[AttackRow]
    host_seconds: float | None
    host_operations: float | None
    beside: Sequence[Cell] = ()

    @property
    def kinds(self) -> list[str]:
        """The kinds of attack in this run, in the order of the pages."""
        present = {attack.kind for attack in self.attacks}
        return [kind for kind in KINDS if kind in present]

    def owners(self, *kinds: str) -> list[Cell]:
        """The cells of marked models, of these kinds or all."""
        return [cell for cell in self.cells if not cell.innocent and (not kinds or cell.kind in kinds)]

    def at(self, scheme: str, attack: str, *, innocent: bool = False) -> list[Cell]:
        """The cells of one square, one per replicate."""
        return self._squares.get((scheme, attack, innocent), [])

    @cached_property
    def _squares(self) -> dict[tuple[str, str, bool], list[Cell]]:
        squares: dict[tuple[str, str, bool], list[Cell]] = {}
        for cell in self.cells:
            squares.setdefault((cell.scheme, cell.attack, cell.innocent), []).append(cell)
        return squares


def judge(run: Run, alpha: float | None = None, budget: float | None = None) -> Board:
    """Derive every verdict at `alpha` and `budget` (points); by default those of the run's profile.

    Raises BenchError where they are out of range.
    """
    court = Court(*_thresholds(run.profile, alpha, budget))
    cells = judge_cells(run, court)
    host_seconds, host_operations = _training_cost(run)
    return Board(
        run=run,
        alpha=court.alpha,
        budget=court.budget,
        cells=cells,
        schemes=[scheme_row(run, scheme, cells, court) for scheme in run.described["schemes"]],
        attacks=[attack_row(attack, cells, host_operations) for attack in run.described["attacks"]],
        host_seconds=host_seconds,
        host_operations=host_operations,
        beside=judge_cells(run, court, beside=True),
    )


def judge_cells(run: Run, court: Court, *, beside: bool = False) -> list[Cell]:
    """Every cell of the matrix before one court, in the plan's order; `beside`: of the other thieves instead."""
    attacks = {attack["label"]: attack for attack in run.described["attacks"]}
    untouched = {"label": "none", "kind": "control", "claim": False}  # innocents are also seen as they are
    own = run.profile["thief"]["pool"], run.profile["thief"]["share"]
    planned = [cell for cell in run.described["cells"] if (thief_of(run, cell) == own) != beside]
    return [judge_cell(run, cell, attacks.get(cell["attack"], untouched), court) for cell in planned]


def _thresholds(profile: Mapping[str, Any], alpha: float | None, budget: float | None) -> tuple[float, float]:
    alpha = profile["alpha"] if alpha is None else alpha
    budget = profile["budget"] if budget is None else budget
    if not 0 < alpha < 1:
        raise BenchError(f"alpha must lie between 0 and 1, not {alpha}: a usual value is 0.001")
    if not 0 < budget < 100:
        raise BenchError(f"the utility budget is in points, between 0 and 100, not {budget}: a usual value is 5")
    return alpha, budget


def _training_cost(run: Run) -> tuple[float | None, float | None]:
    """Median seconds and operations of training an unmarked net: hosts and nulls are trained alike."""
    jobs = run.described["jobs"].items()
    costs = [cost for job, described in jobs if described["kind"] in ("host", "null") and (cost := cost_of(run, job))]
    worked = [cost.operations for cost in costs if cost.operations is not None]
    return median(cost.seconds for cost in costs) if costs else None, median(worked) if worked else None
