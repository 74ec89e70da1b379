"""A board in one view: families of schemes against kinds of attack, and against the families of attacks.

Every square counts the marks (a scheme's settings times attacks times seeds) that held, that a thief kept only in a
useless model, that he broke, and that are undecided; and names the attack that did most. Pure data, no markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from statistics import median

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.analysis.auto import AutoRow, by_family
from leaderboard.analysis.meetings import ensemble
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.summaries import SchemeRow, work_share
from leaderboard.judge.tracks import Track
from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH, Tally, Verdict


@dataclass(frozen=True)
class AttackGroup:
    """The attacks of one kind, or of one family within it. attacks: their labels, in the board's order.

    family: "" where the column holds the whole kind. claim: what thieves end with is a key of their own: held means
    rejected and broken means forged. oracle: they were given the owner's key; no order or rank rests on them.
    """

    kind: str
    family: str
    attacks: Sequence[str]

    @property
    def claim(self) -> bool:
        return self.kind in CLAIM_KINDS

    @property
    def oracle(self) -> bool:
        return self.kind in ORACLE_KINDS


@dataclass(frozen=True)
class WorstAttack:
    """The attack that broke most of a family's marks, and the setting of the scheme on which it broke most.

    attack, scheme: labels; their square is the one to look at. tally: what became of the family's marks under it. on:
    the same on that setting alone. relative: median work of the attack over training one host, None where it was not
    counted. no_better: broken marks in a model that training anew would equal.
    """

    attack: str
    scheme: str
    tally: Tally
    on: Tally
    relative: float | None
    no_better: int


@dataclass(frozen=True)
class FamilySquare:
    """What became of the marks of one family of schemes under the attacks of one column.

    tally, committed: before a court that can't see dates, and before one that asks for commitment; they differ for
    claims alone. worst: None where no mark was broken or left undecided. left_out: cells without an outcome, apart
    from those of attacks that can't be run on the scheme.
    """

    tally: Tally
    committed: Tally
    worst: WorstAttack | None
    left_out: int

    @property
    def held(self) -> int:
        return self.tally.held

    @property
    def useless(self) -> int:
        return self.tally.useless

    @property
    def broken(self) -> int:
        return self.tally.broken

    @property
    def undecided(self) -> int:
        return self.tally.undecided

    @property
    def judged(self) -> int:
        return self.tally.judged

    @property
    def share(self) -> tuple[float, float]:
        """Share withstood (held or useless), undecided counted as broken and as withstood; (0, 0) with none judged."""
        return self.tally.shares


@dataclass(frozen=True)
class FamilyRow:
    """A family of schemes: what it is called, its settings on this board, and what holds of it under no attack.

    schemes: the rows of its settings. survival: under the run's ensemble `auto`, or where it has none under every
    attack that could take a mark (`thieves`); None where none of these was run on it. alarms: verdicts on innocent
    models under its keys. paid: median net loss of utility by embedding (in [0, 1], or in dB), None where it was not
    measured. embedding: median work of embedding over training one host. squares: by (kind, family of attacks), the
    family "" for the whole kind; every column of the overview is there.
    """

    name: str
    schemes: Sequence[SchemeRow]
    survival: AutoRow | None
    alarms: Tally
    paid: float | None
    embedding: float | None
    squares: Mapping[tuple[str, str], FamilySquare]

    def at(self, column: AttackGroup) -> FamilySquare:
        return self.squares[column.kind, column.family]

    @property
    def labels(self) -> list[str]:
        return [row.label for row in self.schemes]


@dataclass(frozen=True)
class Overview:
    """One track: rows in the order of survival, then of the shares withstood.

    auto: the version of the ensemble that survival is of; None where it is of every attack. kinds: one column for each
    kind of attack. families: for each family of attacks within its kind, kind by kind. Controls are in neither.
    """

    track: Track
    rows: Sequence[FamilyRow]
    kinds: Sequence[AttackGroup]
    families: Sequence[AttackGroup]
    auto: int | None = None

    @cached_property
    def judged(self) -> int:
        """Marks and claims with an outcome, over all squares."""
        return sum(row.at(column).judged for row in self.rows for column in self.kinds)


def overviews(board: Board) -> list[Overview]:
    """Track by track."""
    return [overview(part) for part in board.parts]


def overview(board: Board) -> Overview:
    """Of a board of one task."""
    return board.once("overview", lambda: _overview(board))


def _overview(board: Board) -> Overview:
    kinds = [_column(board, kind) for kind in board.kinds if kind != "control"]
    families = [
        _column(board, one.kind, family)
        for one in kinds
        for family in dict.fromkeys(str(row.described["family"]) for row in board.attacks if row.kind == one.kind)
    ]
    groups: dict[str, list[SchemeRow]] = {}
    for row in board.schemes:
        groups.setdefault(str(row.described["name"]), []).append(row)
    auto = ensemble(board)
    found = {row.name: row for row in by_family(board, thieves(board))}
    rows = [_family(board, name, group, [*kinds, *families], found.get(name)) for name, group in groups.items()]
    ranked = [one for one in kinds if not one.oracle]

    def order(row: FamilyRow) -> tuple[object, ...]:
        known = row.survival is not None and row.survival.survival.seeds > 0
        first = row.survival.order if row.survival and known else ()
        return known, first, [row.at(column).share for column in ranked]

    ordered = sorted(rows, key=order, reverse=True)
    return Overview(board.track, ordered, kinds, families, auto.version if auto else None)


def thieves(board: Board) -> list[str]:
    """The attacks that survival is of: the run's ensemble on this track; without one all that take a mark away.

    Claims, controls and attacks that were given the owner's key are not among these.
    """
    if auto := ensemble(board):
        return [row.label for row in board.attacks if row.label in auto.members]
    return takers(board)


def takers(board: Board) -> list[str]:
    """Every attack that could take a mark from a model, a member of the ensemble or not."""
    spared = {*CLAIM_KINDS, *ORACLE_KINDS, "control"}
    return [row.label for row in board.attacks if row.kind not in spared]


def _column(board: Board, kind: str, family: str = "") -> AttackGroup:
    rows = [row for row in board.attacks if row.kind == kind and family in ("", row.described["family"])]
    return AttackGroup(kind, family, [row.label for row in rows])


def _family(
    board: Board, name: str, schemes: Sequence[SchemeRow], columns: Sequence[AttackGroup], survival: AutoRow | None
) -> FamilyRow:
    found = [one for row in schemes for one in row.fidelity]
    losses = [one.drop.delta for one in found if one.drop is not None]
    work = [share for one in found if (share := work_share(one.cost, board.host_operations)) is not None]
    labels = [row.label for row in schemes]
    return FamilyRow(
        name=name,
        schemes=schemes,
        survival=survival,
        alarms=Tally.of(cell.verdict for label in labels for cell in board.innocents(label)),
        paid=median(losses) if losses else None,
        embedding=median(work) if work else None,
        squares={(one.kind, one.family): square(board, labels, one.attacks) for one in columns},
    )


def square(board: Board, schemes: Sequence[str], attacks: Sequence[str]) -> FamilySquare:
    """What became of the marks of these schemes under these attacks, given their labels."""
    by_attack = {label: [cell for scheme in schemes for cell in board.at(scheme, label)] for label in attacks}
    cells = [cell for those in by_attack.values() for cell in those]
    tally = Tally.of(cell.verdict for cell in cells)
    hurt = [_worst(board, label, those) for label, those in by_attack.items() if any(harm(Tally.of(_words(those))))]
    return FamilySquare(
        tally=tally,
        committed=Tally.of(cell.committed or cell.verdict for cell in cells),
        worst=max(hurt, key=danger, default=None),
        left_out=tally.left_out - tally.count("not-applicable"),
    )


def _worst(board: Board, attack: str, cells: Sequence[Cell]) -> WorstAttack:
    by_scheme: dict[str, list[Cell]] = {}
    for cell in cells:
        by_scheme.setdefault(cell.scheme, []).append(cell)
    tallies = {scheme: Tally.of(_words(those)) for scheme, those in by_scheme.items()}
    scheme = max(tallies, key=lambda one: harm(tallies[one]))
    work = [share for cell in cells if (share := work_share(cell.cost, board.host_operations)) is not None]
    return WorstAttack(
        attack=attack,
        scheme=scheme,
        tally=Tally.of(_words(cells)),
        on=tallies[scheme],
        relative=median(work) if work else None,
        no_better=sum(NO_BETTER_THAN_SCRATCH in cell.verdict.flags for cell in cells),
    )


def _words(cells: Sequence[Cell]) -> Iterator[Verdict]:
    return (cell.verdict for cell in cells)


def harm(tally: Tally) -> tuple[float, float]:
    """The shares broken and undecided of what was judged: what is larger costs the owner more."""
    m = tally.judged
    return (tally.broken / m, tally.undecided / m) if m else (0.0, 0.0)


def danger(one: WorstAttack) -> tuple[float, float, float]:
    """The worst attack last, and of equals the cheapest."""
    return *harm(one.tally), -(inf if one.relative is None else one.relative)


def cheapest(board: Board, schemes: Sequence[str], attacks: Sequence[str]) -> WorstAttack | None:
    """The attack that breaks more than half of these schemes' marks for the least work; None where none does.

    Given labels. Work that was not counted is the dearest; of equals the one that broke most.
    """
    found = (square(board, schemes, [label]).worst for label in attacks)
    broke = [one for one in found if one and 2 * one.tally.broken > one.tally.judged]
    return min(broke, key=cheapness, default=None)


def cheapness(one: WorstAttack) -> tuple[float, list[float]]:
    """What `cheapest` goes by."""
    return inf if one.relative is None else one.relative, [-share for share in harm(one.tally)]
