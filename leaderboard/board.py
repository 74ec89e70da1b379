"""The board of a run: every cell's verdict at one alpha and one budget, and what rows and columns add up to.

Pure functions of records. Boards (kinds of attack) are never summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmark.errors import BenchError
from leaderboard.cells import Cell, Court, cost_of, judge_cell
from leaderboard.rows import KINDS, AttackRow, SchemeRow, attack_row, scheme_row
from leaderboard.run import Run, read_run

__all__ = ["Board", "Run", "judge", "judge_cells", "read_run"]


@dataclass(frozen=True)
class Board:
    """All that the pages say, at one alpha and one budget (points). `cells` are in the plan's order."""

    run: Run
    alpha: float
    budget: float
    cells: Sequence[Cell]
    schemes: Sequence[SchemeRow]
    attacks: Sequence[AttackRow]
    host_seconds: float | None

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
        return [c for c in self.cells if (c.scheme, c.attack, c.innocent) == (scheme, attack, innocent)]


def judge(run: Run, alpha: float | None = None, budget: float | None = None) -> Board:
    """Derive every verdict at `alpha` and `budget` (points); by default those of the run's profile.

    Raises BenchError where they are out of range.
    """
    court = Court(*_thresholds(run.profile, alpha, budget))
    cells = judge_cells(run, court)
    host_seconds = _training_seconds(run)
    return Board(
        run=run,
        alpha=court.alpha,
        budget=court.budget,
        cells=cells,
        schemes=[scheme_row(run, scheme, cells, court) for scheme in run.described["schemes"]],
        attacks=[attack_row(attack, cells, host_seconds) for attack in run.described["attacks"]],
        host_seconds=host_seconds,
    )


def judge_cells(run: Run, court: Court) -> list[Cell]:
    """Every cell of the run before one court, in the plan's order."""
    attacks = {attack["label"]: attack for attack in run.described["attacks"]}
    untouched = {"label": "none", "kind": "control", "claim": False}  # innocents are also seen as they are
    planned = run.described["cells"]
    return [judge_cell(run, cell, attacks.get(cell["attack"], untouched), court) for cell in planned]


def _thresholds(profile: Mapping[str, Any], alpha: float | None, budget: float | None) -> tuple[float, float]:
    alpha = profile["alpha"] if alpha is None else alpha
    budget = profile["budget"] if budget is None else budget
    if not 0 < alpha < 1:
        raise BenchError(f"alpha must lie between 0 and 1, not {alpha}: a usual value is 0.001")
    if not 0 < budget < 100:
        raise BenchError(f"the utility budget is in points, between 0 and 100, not {budget}: a usual value is 5")
    return alpha, budget


def _training_seconds(run: Run) -> float | None:
    """Median seconds of training an unmarked net by the house's recipe: hosts and nulls are trained alike."""
    jobs = run.described["jobs"].items()
    costs = [cost_of(run, job) for job, described in jobs if described["kind"] in ("host", "null")]
    seconds = [cost.seconds for cost in costs if cost]
    return median(seconds) if seconds else None
