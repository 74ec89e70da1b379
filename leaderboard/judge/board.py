"""The board of a run: every cell's verdict at one alpha and one budget, and what rows and columns add up to.

Pure functions of records. Boards (kinds of attack) are never summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from benchmark.vocabulary import ORACLE_KINDS
from leaderboard.judge.case_file import COUNTED
from leaderboard.judge.cell import Cell, judge_cell, thief_of, verdict_at
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.gc_pause import paused
from leaderboard.judge.results import cost_of, null_models, outcomes
from leaderboard.judge.run import Run, read_run
from leaderboard.judge.summaries import BOARDS, AttackRow, SchemeRow, attack_row, over_tracks, scheme_row
from leaderboard.judge.tracks import Track, read_tracks, serves, track_of
from leaderboard.judge.verdicts import Verdict
from leaderboard.stats.null_tests import SURROGATE_POOL
from leaderboard.stats.utility_test import does_the_job

__all__ = ["Board", "Run", "judge", "judge_cells", "read_run"]


@dataclass(frozen=True)
class Board:
    """All that the pages show, at one alpha and each track's budget. `cells` are in the plan's order.

    tracks: the main one first. split: where there are several, one board per track, with its own schemes, the attacks
    that serve its kind of task, and the cost of its host; parts: those of them that have a scheme, or the board itself.
    A board of several tracks has no host: what is measured by one, or in a unit, is read from the parts. beside: the
    cells of thieves with other images than the matrix's; only curves show them.
    """

    run: Run
    tracks: Sequence[Track]
    cells: Sequence[Cell]
    schemes: Sequence[SchemeRow]
    attacks: Sequence[AttackRow]
    host_seconds: float | None = None
    host_operations: float | None = None
    beside: Sequence[Cell] = ()
    split: Sequence[Board] = ()

    @property
    def parts(self) -> Sequence[Board]:
        """What the pages show, track by track: those on which a scheme of the run works."""
        return [part for part in self.split if part.schemes] or self.split or (self,)

    @property
    def shown(self) -> list[Track]:
        """The tracks that the pages show."""
        return [part.track for part in self.parts]

    @property
    def track(self) -> Track:
        """The track of a board that has one, else the main one."""
        return self.tracks[0]

    @property
    def alpha(self) -> float:
        return self.track.alpha

    @property
    def budget(self) -> float | None:
        """The budget of the classification tracks, in points; None where there is none."""
        return next((track.budget for track in self.tracks if track.unit == "points"), None)

    def part_of(self, cell: Cell) -> Board:
        """The board of a cell's track."""
        return next(part for part in self.parts if part.track.task == cell.task)

    @cached_property
    def useless_nulls(self) -> dict[str, int]:
        """Unmarked models that don't do their task, and so are no nulls, by task; surrogates of them among these."""
        described = self.run.described["jobs"]
        jobs = [job for job, one in described.items() if one["kind"] == "null"]
        copied = {cell["jobs"].get(COUNTED[SURROGATE_POOL]) for cell in self.run.described["cells"]}
        judged = [job for job in copied if job is not None and self.run.result(job)]
        jobs += dict.fromkeys(model for job in judged for model in null_models(self.run, job))
        found: dict[str, int] = {}
        for job in jobs:
            if not does_the_job(outcomes(self.run, job)):
                task = self.run.records[job]["job"]["world"]["task"]
                found[task] = found.get(task, 0) + 1
        return found

    def at_thresholds(self, alpha: float, budget: float) -> list[tuple[Cell, Verdict]]:
        """The cells of a board of one track, each with its verdict at another alpha and budget (in its unit)."""
        court = Thresholds(alpha, budget, self.track.unit)
        return [(cell, verdict_at(self.run, cell, court)) for cell in self.cells]

    @property
    def kinds(self) -> list[str]:
        """The kinds of attack in this run, in the order of the pages."""
        present = {attack.kind for attack in self.attacks}
        return [kind for kind in BOARDS if kind in present]

    @property
    def ranked_kinds(self) -> list[str]:
        """Those of them that schemes are ordered by: no controls, and no attack that was given the owner's key."""
        return [kind for kind in self.kinds if kind not in ("control", *ORACLE_KINDS)]

    def owners(self, *kinds: str) -> list[Cell]:
        """The cells of marked models, of these kinds or all."""
        return [cell for cell in self.cells if not cell.innocent and (not kinds or cell.kind in kinds)]

    def at(self, scheme: str, attack: str, *, innocent: bool = False) -> list[Cell]:
        """The cells of one square, one per replicate."""
        return self._squares.get((scheme, attack, innocent), [])

    def attacks_of(self, job: str) -> list[str]:
        """The attacks whose attacked model is this job's."""
        return self._attacks_by_job.get(job, [])

    @cached_property
    def _attacks_by_job(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for cell in self.cells:
            if "attacked" in cell.jobs:
                found.setdefault(cell.jobs["attacked"], []).append(cell.attack)
        return found

    @cached_property
    def _squares(self) -> dict[tuple[str, str, bool], list[Cell]]:
        squares: dict[tuple[str, str, bool], list[Cell]] = {}
        for cell in self.cells:
            squares.setdefault((cell.scheme, cell.attack, cell.innocent), []).append(cell)
        return squares


@paused()
def judge(run: Run, alpha: float | None = None, budget: float | None = None, like: Sequence[Track] = ()) -> Board:
    """Derive every verdict at `alpha` and, on classification tracks, `budget` (points); by default those of the run.

    like: tracks of another board; the run's tracks of the same tasks are read at their thresholds. Raises BenchError
    where thresholds are out of range.
    """
    tracks = read_tracks(run.description.data, alpha, budget, like)
    cells, beside = (judge_cells(run, tracks, run.described["schemes"], beside=other) for other in (False, True))
    if len(tracks) == 1:
        return _board(run, tracks[0], run.described["schemes"], run.described["attacks"], cells, beside)
    parts = []
    for track in tracks:
        schemes = [one for one in run.described["schemes"] if track_of(tracks, one) == track]
        attacks = [one for one in run.described["attacks"] if serves(one, track)]
        parts.append(_board(run, track, schemes, attacks, *(_on(track, attacks, some) for some in (cells, beside))))
    by_label = {row.label: row for part in parts for row in part.schemes}
    return Board(
        run=run,
        tracks=tracks,
        cells=cells,
        schemes=[by_label[scheme["label"]] for scheme in run.described["schemes"]],
        attacks=[_attack(attack, parts, cells) for attack in run.described["attacks"]],
        beside=beside,
        split=parts,
    )


def _board(
    run: Run,
    track: Track,
    schemes: Sequence[Mapping[str, Any]],
    attacks: Sequence[Mapping[str, Any]],
    cells: Sequence[Cell],
    beside: Sequence[Cell],
) -> Board:
    """The board of one track."""
    host_seconds, host_operations = _training_cost(run, track)
    return Board(
        run=run,
        tracks=[track],
        cells=cells,
        schemes=[scheme_row(run, scheme, cells, Thresholds.of(track)) for scheme in schemes],
        attacks=[attack_row(attack, cells, host_operations) for attack in attacks],
        host_seconds=host_seconds,
        host_operations=host_operations,
        beside=beside,
    )


def _on(track: Track, attacks: Sequence[Mapping[str, Any]], cells: Sequence[Cell]) -> list[Cell]:
    """The cells of a track; innocents are also seen as they are, which no attack of the run need be."""
    served = {attack["label"] for attack in attacks} | {"none"}
    return [cell for cell in cells if cell.task == track.task and cell.attack in served]


def _attack(attack: Mapping[str, Any], parts: Sequence[Board], cells: Sequence[Cell]) -> AttackRow:
    rows = [row for part in parts for row in part.attacks if row.label == attack["label"]]
    return over_tracks(rows) if rows else attack_row(attack, cells, None)


def judge_cells(
    run: Run, tracks: Sequence[Track], schemes: Sequence[Mapping[str, Any]], *, beside: bool = False
) -> list[Cell]:
    """Every cell of `schemes` in the matrix before its track's court, in the plan's order.

    beside: the cells of other thieves than the matrix's instead.
    """
    attacks = {attack["label"]: attack for attack in run.described["attacks"]}
    track = {scheme["label"]: track_of(tracks, scheme) for scheme in schemes}
    untouched = {"label": "none", "kind": "control", "claim": False}  # innocents are also seen as they are
    own = run.profile["thief"]["pool"], run.profile["thief"]["share"]
    planned = [
        cell for cell in run.described["cells"] if cell["scheme"] in track and (thief_of(run, cell) == own) != beside
    ]
    return [judge_cell(run, cell, attacks.get(cell["attack"], untouched), track[cell["scheme"]]) for cell in planned]


def _training_cost(run: Run, track: Track) -> tuple[float | None, float | None]:
    """Median seconds and operations of training an unmarked net of a track: hosts and nulls are trained alike."""
    costs = []
    for job, described in run.described["jobs"].items():
        cost = cost_of(run, job) if described["kind"] in ("host", "null") else None
        if cost is not None and run.records[job]["job"]["world"]["task"] == track.task:
            costs.append(cost)
    worked = [cost.operations for cost in costs if cost.operations is not None]
    return median(cost.seconds for cost in costs) if costs else None, median(worked) if worked else None
