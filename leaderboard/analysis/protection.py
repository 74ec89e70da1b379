"""What each family of schemes would do for an owner in one situation: what survives, what it costs, what breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.analysis.meetings import Survival
from leaderboard.analysis.overview import FamilyRow, WorstAttack, cheapest, overview, square
from leaderboard.analysis.situations import Released, Situation, in_reach, released
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import BROKEN, Tally


@dataclass(frozen=True)
class EmbeddingCost:
    """What marking a model costs its owner. marks: in how many marked models the loss was measured.

    loss: median net loss of utility, in [0, 1] or in dB; between: the least and the largest of several marks, of one
    its 90 % interval. relative: median work over training one net; seconds: median on the device of the run.
    """

    marks: int
    loss: float | None
    between: tuple[float, float] | None
    relative: float | None
    seconds: float | None


@dataclass(frozen=True)
class CheapestBreak:
    """The attack that breaks more than half of a family's marks for the least work, and what it takes a thief.

    queries, labelled: to the model and of images of his own, and loss, of utility in [0, 1] or dB: medians over the
    marks that it broke.
    """

    attack: WorstAttack
    queries: float | None
    labelled: float | None
    loss: float | None


@dataclass(frozen=True)
class Accusations:
    """Verdicts on innocent models under a family's keys: how many accuse, of how many, over how many `models`.

    bound: of the rate over independent models, one-sided 95 %, of the setting of which least is known.
    """

    fired: int
    verdicts: int
    models: int
    bound: float


@dataclass(frozen=True)
class Protection:
    """One family of schemes in one situation. best: no test shows it worse than the best.

    settings: the labels of its settings. survival: under every attack of the situation. forged, committed: thieves'
    claims before a court that sees no dates, and before one that asks for commitment. broken_by: None where no attack
    breaks more than half of its marks; worst: the attack that broke most, None where none broke or left open one.
    """

    name: str
    settings: Sequence[str]
    best: bool
    survival: Survival
    cost: EmbeddingCost
    forged: Tally
    committed: Tally
    accusations: Accusations
    broken_by: CheapestBreak | None
    worst: WorstAttack | None


@dataclass(frozen=True)
class AdvisedSituation:
    """A situation (see `Situation`), the attacks that count in it, the schemes that suit it, and those left out.

    schemes: best first.
    """

    name: str
    attacks: Sequence[str]
    schemes: Sequence[Protection]
    left: Sequence[str]


def advised(board: Board, release: Released) -> list[AdvisedSituation]:
    """The situations of an owner who gives out the weights, or answers alone, on a board of one task."""
    found = released(board, release)
    return [AdvisedSituation(one.name, one.attacks, _protections(board, release, one), one.left) for one in found]


def _protections(board: Board, release: Released, situation: Situation) -> list[Protection]:
    rows = {row.name: row for row in overview(board).rows}
    claims = [row.label for row in board.attacks if row.kind in CLAIM_KINDS and row.kind not in ORACLE_KINDS
              and in_reach(release, str(row.described["access"]))]  # fmt: skip
    found = []
    for one in (*situation.best, *situation.others):
        row = rows[one.name]
        forged = square(board, row.labels, claims)
        broke = cheapest(board, row.labels, situation.attacks)
        found.append(Protection(
            one.name, row.labels, one in situation.best, one.survival, _cost(row), forged.tally, forged.committed,
            _accusations(row), taking(board, row.labels, broke) if broke else None,
            square(board, row.labels, situation.attacks).worst,
        ))  # fmt: skip
    return found


def _cost(row: FamilyRow) -> EmbeddingCost:
    found = [one for scheme in row.schemes for one in scheme.fidelity]
    drops = [one.drop for one in found if one.drop is not None]
    losses = [one.delta for one in drops]
    ends = drops[0].interval if len(drops) == 1 else (min(losses), max(losses)) if losses else None
    seconds = [one.cost.seconds for one in found if one.cost]
    return EmbeddingCost(len(drops), row.paid, ends, row.embedding, median(seconds) if seconds else None)


def _accusations(row: FamilyRow) -> Accusations:
    seen = [one.false_alarms for one in row.schemes if one.false_alarms.models]
    least = max(seen, key=lambda one: one.bound, default=None)
    fired = row.alarms.count("false-positive")
    verdicts = row.alarms.count("not-marked", "false-positive")
    return Accusations(fired, verdicts, least.models if least else 0, least.bound if least else 1.0)


def taking(board: Board, schemes: Sequence[str], broke: WorstAttack) -> CheapestBreak:
    """What an attack takes a thief who breaks marks of these schemes (labels) by it."""
    cells = [cell for label in schemes for cell in board.at(label, broke.attack) if cell.verdict.word in BROKEN]
    costs = [cell.cost for cell in cells if cell.cost]
    losses = [cell.utility.delta for cell in cells if cell.utility]
    return CheapestBreak(
        broke,
        median(one.queries for one in costs) if costs else None,
        median(one.labelled for one in costs) if costs else None,
        median(losses) if losses else None,
    )
