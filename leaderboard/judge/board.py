"""The board of a run: every cell's verdict at one alpha and one budget, and what rows and columns add up to.

Pure functions of records. Boards (kinds of attack) are never summed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Any, TypeVar

from benchmark.store.gc_pause import paused
from benchmark.vocabulary import ORACLE_KINDS
from leaderboard.judge.case_file import COUNTED
from leaderboard.judge.cell import Cell, judge_cell, matrix_thief, thief_of, verdict_at
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.outside import OutsideRow
from leaderboard.judge.results import cost_of, null_models, outcomes
from leaderboard.judge.rules import EarlierBoard
from leaderboard.judge.run import Run
from leaderboard.judge.summaries import BOARDS, AttackRow, SchemeRow, attack_row, scheme_row
from leaderboard.judge.tracks import Track, read_tracks, track_of
from leaderboard.judge.verdicts import Verdict
from leaderboard.stats.null_tests import SURROGATE_POOL
from leaderboard.stats.utility_test import does_the_job, level

Once = TypeVar("Once")


@dataclass(frozen=True)
class Board:
    """All that the pages show, at one alpha and each track's budget. `cells` are in the plan's order.

    tracks: the main one first. split: where there are several, one board per track, with its own schemes, the attacks
    that serve its kind of task, and the cost of its host; parts: those of them that have a scheme, or the board itself.
    A board of several tracks has no host: what is measured by one, or in a unit, is read from the parts. beside: the
    cells of thieves with other images than the matrix's; only curves show them. earlier: the verdicts under older rules
    that are kept beside the board's pages. outside: rows that others ran; they count nowhere.
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
    earlier: Sequence[EarlierBoard] = ()
    outside: Sequence[OutsideRow] = ()

    @cached_property
    def _kept(self) -> dict[Hashable, Any]:
        return {}

    def once(self, name: Hashable, find: Callable[[], Once]) -> Once:
        """What `find` finds on this board, found once, as `Run.once`; nobody changes what is returned."""
        if name not in self._kept:
            self._kept[name] = find()
        found: Once = self._kept[name]
        return found

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

    def only(self, schemes: Collection[str] | None = None, attacks: Collection[str] | None = None) -> Board:
        """The same board with these schemes and attacks alone, by label; None: with all of them.

        Tracks that none of these attacks serves are left out.
        """

        def wanted(cell: Cell) -> bool:
            return (schemes is None or cell.scheme in schemes) and (attacks is None or cell.attack in attacks)

        return replace(
            self,
            cells=[cell for cell in self.cells if wanted(cell)],
            beside=[cell for cell in self.beside if wanted(cell)],
            schemes=[row for row in self.schemes if schemes is None or row.label in schemes],
            attacks=[row for row in self.attacks if attacks is None or row.label in attacks],
            split=[part for one in self.split if (part := one.only(schemes, attacks)).attacks],
        )

    @cached_property
    def useless_nulls(self) -> dict[str, int]:
        """Unmarked models that don't do their task, and so are no nulls, by task; surrogates of them among these."""
        jobs = [job for job, one in self.run.described["jobs"].items() if one["kind"] == "null"]
        copied = {cell.get("jobs", {}).get(COUNTED[SURROGATE_POOL]) for cell in self.run.described["cells"]}
        judged = [job for job in copied if job is not None and self.run.result(job)]
        jobs += dict.fromkeys(model for job in judged for model in null_models(self.run, job))
        useless = [job for job in jobs if not does_the_job(outcomes(self.run, job))]
        return Counter(self.run.records[job]["job"]["world"]["task"] for job in useless)

    def at_thresholds(self, alpha: float, budget: float) -> list[tuple[Cell, Verdict]]:
        """The cells of a board of one track, each with its verdict at another alpha and budget (in its unit)."""
        court = Thresholds(alpha, budget, self.track.unit, self.track.strict, brief=True)
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

    def innocents(self, scheme: str) -> list[Cell]:
        """The cells of unmarked models under a scheme's keys."""
        return self.once("innocents", self._innocents).get(scheme, [])

    def _innocents(self) -> Mapping[str, list[Cell]]:
        return _grouped((cell for cell in self.cells if cell.innocent), "scheme")

    @cached_property
    def scratch(self) -> list[float]:
        """How good the nets are that the matrix's thief trains anew, seed by seed: accuracies in [0, 1], or PSNR in dB.

        Empty where the run has no such control.
        """
        jobs = dict.fromkeys(cell.jobs["scratch"] for cell in self.owners() if "scratch" in cell.jobs)
        return [found for job in jobs if (found := level(outcomes(self.run, job))) is not None]

    @cached_property
    def _squares(self) -> Mapping[tuple[str, str, bool], list[Cell]]:
        squares = defaultdict(list)
        for cell in self.cells:
            squares[cell.scheme, cell.attack, cell.innocent].append(cell)
        return squares

    @cached_property
    def attacks_by_job(self) -> Mapping[str, list[str]]:
        """The attacks that lead to each attacked model, by its job."""
        found = defaultdict(list)
        for cell in self.cells:
            if "attacked" in cell.jobs:
                found[cell.jobs["attacked"]].append(cell.attack)
        return found


@paused()
def judge(
    run: Run,
    alpha: float | None = None,
    budget: float | None = None,
    like: Sequence[Track] = (),
    strict: bool | None = None,
) -> Board:
    """Derive every verdict at `alpha` and, on classification tracks, `budget` (points); by default those of the run.

    strict: whether p_null counts beside an exact p_key. like: tracks of another board; the run's tracks of the same
    tasks are read at their thresholds. Raises BenchError where thresholds are out of range.
    """
    tracks = read_tracks(run.description.data, alpha, budget, like, strict)
    schemes, attacks = run.described["schemes"], run.described["attacks"]
    cells, beside = (_judge_cells(run, tracks, beside=other) for other in (False, True))
    if len(tracks) == 1:
        return _board(run, tracks[0], schemes, attacks, cells, beside)
    parts = []
    for track in tracks:
        own = [one for one in schemes if track_of(tracks, one) == track]
        served = [one for one in attacks if track.kind in one["tasks"]]
        parts.append(_board(run, track, own, served, *(_on(track, served, some) for some in (cells, beside))))
    by_label = {row.label: row for part in parts for row in part.schemes}
    return Board(
        run=run,
        tracks=tracks,
        cells=cells,
        schemes=[by_label[scheme["label"]] for scheme in schemes],
        attacks=[_over_tracks(attack, parts, cells) for attack in attacks],
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
    by_scheme, by_attack = (_grouped(cells, name) for name in ("scheme", "attack"))
    return Board(
        run=run,
        tracks=[track],
        cells=cells,
        schemes=[scheme_row(run, one, by_scheme[one["label"]], Thresholds.of(track)) for one in schemes],
        attacks=[attack_row(one, by_attack[one["label"]], host_operations) for one in attacks],
        host_seconds=host_seconds,
        host_operations=host_operations,
        beside=beside,
    )


def _grouped(cells: Iterable[Cell], name: str) -> Mapping[str, list[Cell]]:
    """Cells by the label of their scheme or attack, in their order."""
    groups = defaultdict(list)
    for cell in cells:
        groups[getattr(cell, name)].append(cell)
    return groups


def _on(track: Track, attacks: Sequence[Mapping[str, Any]], cells: Sequence[Cell]) -> list[Cell]:
    """The cells of a track; innocents are also seen as they are, which no attack of the run need be."""
    served = {attack["label"] for attack in attacks} | {"none"}
    return [cell for cell in cells if cell.task == track.task and cell.attack in served]


def _over_tracks(attack: Mapping[str, Any], parts: Sequence[Board], cells: Sequence[Cell]) -> AttackRow:
    """The row of an attack on every track that it serves. Costs and changes of utility have no common measure."""
    rows = [row for part in parts for row in part.attacks if row.label == attack["label"]]
    if len(rows) == 1:
        return rows[0]
    among = [cell for part in parts for cell in part.cells] if rows else cells
    seen = [cell for cell in among if cell.attack == attack["label"]]
    return replace(attack_row(attack, seen, None), change=None, against_twin=None, cost=None)


def _judge_cells(run: Run, tracks: Sequence[Track], *, beside: bool) -> list[Cell]:
    """Every cell of the matrix, or of other thieves than the matrix's (beside), in the plan's order."""
    attacks = {attack["label"]: attack for attack in run.described["attacks"]}
    track = {scheme["label"]: track_of(tracks, scheme) for scheme in run.described["schemes"]}
    untouched = {"label": "none", "kind": "control", "claim": False}  # innocents are also seen as they are
    own = {one.task: matrix_thief(run.profile, one.task) for one in tracks}
    return [
        judge_cell(run, cell, attacks.get(cell["attack"], untouched), on)
        for cell in run.described["cells"]
        for on in [track[cell["scheme"]]]
        if (thief_of(run, cell, on.task) == own[on.task]) != beside
    ]


def _training_cost(run: Run, track: Track) -> tuple[float | None, float | None]:
    """Median seconds and operations of training an unmarked net of a track: hosts and nulls are trained alike."""
    costs = []
    for job, described in run.described["jobs"].items():
        cost = cost_of(run, job) if described["kind"] in ("host", "null") else None
        if cost is not None and run.records[job]["job"]["world"]["task"] == track.task:
            costs.append(cost)
    worked = [cost.operations for cost in costs if cost.operations is not None]
    return median(cost.seconds for cost in costs) if costs else None, median(worked) if worked else None
