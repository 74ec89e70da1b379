"""Survival under `auto`: what the best of a fixed ensemble of thieves leaves of each scheme's mark, seed by seed.

The run says what is in the ensemble (`DescribedAuto`); here its members' cells are read, and no job is run. Of a scheme
and a seed the thief is granted the member that does best for him, which he could not know: survival is a lower bound.
Beside it stands what he reaches where the member is fixed for the scheme by the other seeds. See docs/auto.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from statistics import fmean, median

from benchmark.store.ensemble import DescribedAuto
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.summaries import tier, work_share
from leaderboard.judge.verdicts import BROKEN, NO_BETTER_THAN_SCRATCH, USELESS, WITHSTOOD
from leaderboard.stats.tails import wilson

COST_TIERS = range(5)  # of work over training one host, as in `summaries.tier`; with the last, whatever it takes
_NO_OUTCOME = frozenset({"crashed", "timeout", "oom", "not-run"})  # of a member that would have one
_JUDGED = frozenset({*BROKEN, *WITHSTOOD, "undecided"})


@dataclass(frozen=True)
class Survival:
    """In how many of `seeds` the mark survived: undecided counted as broken (low), and as withstood (high).

    interval: 95 % (Wilson), wide enough for both ways of counting.
    """

    low: int
    high: int
    seeds: int
    interval: tuple[float, float]

    @classmethod
    def of(cls, words: Iterable[str | None]) -> Survival:
        """Of outcomes, one per seed (and setting); None has none, and is left out."""
        counts = Counter(word for word in words if word is not None)
        low, seeds = counts["withstood"], counts.total()
        high = low + counts["undecided"]
        return cls(low, high, seeds, (wilson(low, seeds)[0], wilson(high, seeds)[1]))

    @property
    def share(self) -> tuple[float, float]:
        return (self.low / self.seeds, self.high / self.seeds) if self.seeds else (0.0, 0.0)


@dataclass(frozen=True)
class Meeting:
    """One scheme at one seed and the members' cells there, by label; work: of each, over that of training one host."""

    scheme: str
    family: str
    replicate: int
    cells: Mapping[str, Cell]
    work: Mapping[str, float]

    def outcome(self, up_to: int = COST_TIERS[-1]) -> str | None:
        """broken, undecided or withstood, by the members of this cost tier and cheaper ones; None where it is open.

        A mark that was never there, and one that held while a member has no outcome, leave it open.
        """
        words = {one.verdict.word for label, one in self.cells.items() if self._tier(label) <= up_to}
        if not words & _JUDGED:
            return None
        if words & {*BROKEN}:
            return "broken"
        if not _NO_OUTCOME.isdisjoint(one.verdict.word for one in self.cells.values()):
            return None
        return "undecided" if "undecided" in words else "withstood"

    def _tier(self, label: str) -> int:
        return tier(self.work[label]) if label in self.work else COST_TIERS[-1]

    @cached_property
    def broke(self) -> list[str]:
        """The members that broke the mark."""
        return [label for label, one in self.cells.items() if one.verdict.word in BROKEN]

    @cached_property
    def best(self) -> str | None:
        """The member whose cell stands for all; None where the outcome is open.

        Where members broke the mark, the cheapest of them: how high a p-value above alpha lies is chance. Else of
        undecided cells, then of models that kept their use, then of the rest, the one with the least evidence left.
        """
        if self.outcome() is None:
            return None
        if self.broke:
            return min(self.broke, key=self._price)
        judged = [label for label, one in self.cells.items() if one.verdict.word in _JUDGED]
        return max(judged, key=lambda label: _weakness(self.cells[label]))

    def _price(self, label: str) -> tuple[bool, float, int]:
        cell = self.cells[label]
        queries = cell.cost.queries if cell.cost else 0
        return NO_BETTER_THAN_SCRATCH in cell.verdict.flags, self.work.get(label, inf), queries

    def alone(self, member: str | None) -> Meeting:
        """The same with no other member."""
        return replace(self, cells={label: one for label, one in self.cells.items() if label == member})


@dataclass(frozen=True)
class AutoRow:
    """A scheme at one setting, or a family of schemes over all its settings, under the ensemble.

    survival: of all members; up_to: of those of each cost tier and below. fixed: where one member is chosen for the
    family by the other seeds; None with one seed. useless: of the seeds withstood, those in which the member's model
    lost its use. members: which stand for the ensemble where the mark fell, the most frequent first; queries,
    labelled, relative (work over training one host): medians over them. left_out: seeds without an outcome.
    """

    name: str
    task: str
    settings: int
    survival: Survival
    up_to: Sequence[Survival]
    fixed: Survival | None
    useless: int
    left_out: int
    members: Sequence[tuple[str, int]]
    queries: float | None
    labelled: float | None
    relative: float | None

    @property
    def order(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What schemes are ordered by: survival under all, and among equals under cheaper and cheaper thieves.

        Undecided ones are counted as broken; only where that leaves schemes equal, as survived.
        """
        shares = [self.survival.share, *(one.share for one in reversed(self.up_to))]
        return tuple(low for low, _ in shares), tuple(high for _, high in shares)


@dataclass(frozen=True)
class Gain:
    """What a member adds: marks it broke, of those it met; alone: that no other member broke; added: that were still
    whole when members are taken one by one, the one that breaks most first. families: of the schemes it broke.
    """

    member: str
    met: int
    broke: int
    alone: int
    added: int
    families: Sequence[str]
    relative: float | None


def ensemble(board: Board) -> DescribedAuto | None:
    """The ensemble of the board's run; None where the run lacks a member."""
    found = board.run.description.auto
    return found if found and {*found.members} <= {one.label for one in board.run.description.attacks} else None


def meetings(board: Board, attacks: Sequence[str] | None = None) -> list[Meeting]:
    """Every scheme of a board of one task at every seed; none where the run has no ensemble.

    attacks: the labels of other attacks that are the members, in place of the run's ensemble.
    """
    if attacks is None:
        attacks = auto.members if (auto := ensemble(board)) else ()
    found: dict[tuple[str, int], dict[str, Cell]] = {}
    for row in board.schemes:
        for label in attacks:
            for cell in board.at(row.label, label):
                if cell.verdict.word != "not-applicable":
                    found.setdefault((row.label, cell.replicate), {})[label] = cell
    families = {row.label: str(row.described["name"]) for row in board.schemes}
    return [
        Meeting(scheme, families[scheme], replicate, cells, _work(board, cells))
        for (scheme, replicate), cells in found.items()
    ]


def _work(board: Board, cells: Mapping[str, Cell]) -> dict[str, float]:
    shares = {label: work_share(cell.cost, board.host_operations) for label, cell in cells.items()}
    return {label: share for label, share in shares.items() if share is not None}


def picks(board: Board) -> list[tuple[str, Cell]]:
    """The cell that stands for the ensemble at each scheme and seed, with the member's label, over all tasks."""
    return [(one.best, one.cells[one.best]) for part in board.parts for one in meetings(part) if one.best is not None]


def by_setting(board: Board) -> list[AutoRow]:
    """The schemes of a board of one task, best first."""
    return _rows(board, lambda one: one.scheme)


def by_family(board: Board, attacks: Sequence[str] | None = None) -> list[AutoRow]:
    """Its families of schemes, each over all its settings and seeds, best first; attacks: as in `meetings`."""
    return _rows(board, lambda one: one.family, attacks)


def gains(board: Board) -> list[Gain]:
    """What each member adds on a board of one task, in the order in which they add most."""
    met = [one for one in meetings(board) if one.outcome() is not None]
    left = dict.fromkeys(label for one in met for label in one.cells)
    whole, found = met, []
    while left:
        added = {label: sum(label in one.broke for one in whole) for label in left}
        first = max(left, key=lambda label: (added[label], -_share(met, label)))
        broke = [one for one in met if first in one.broke]
        found.append(Gain(
            first, sum(first in one.cells for one in met), len(broke), sum(one.broke == [first] for one in broke),
            added[first], list(dict.fromkeys(one.family for one in broke)),
            share if (share := _share(met, first)) < inf else None,
        ))  # fmt: skip
        whole = [one for one in whole if first not in one.broke]
        del left[first]
    return found


def _share(met: Sequence[Meeting], label: str) -> float:
    """The median work of a member; inf where it was not counted."""
    shares = [one.work[label] for one in met if label in one.work]
    return median(shares) if shares else inf


def _rows(board: Board, name: Callable[[Meeting], str], attacks: Sequence[str] | None = None) -> list[AutoRow]:
    met = meetings(board, attacks)
    groups: dict[str, list[Meeting]] = {}
    for one in met:
        groups.setdefault(name(one), []).append(one)
    rows = [_row(title, board.track.task, group, met) for title, group in groups.items()]
    return sorted(rows, key=lambda row: row.order, reverse=True)


def _row(name: str, task: str, group: Sequence[Meeting], met: Sequence[Meeting]) -> AutoRow:
    best = [(one, label) for one in group if (label := one.best) is not None]
    fell = [(one, label, one.cells[label].cost) for one, label in best if one.outcome() == "broken"]
    shares = [one.work[label] for one, label, _ in fell if label in one.work]
    costs = [cost for _, _, cost in fell if cost]
    return AutoRow(
        name=name,
        task=task,
        settings=len({one.scheme for one in group}),
        survival=Survival.of(one.outcome() for one in group),
        up_to=[Survival.of(one.outcome(up_to) for one in group) for up_to in COST_TIERS],
        fixed=_fixed(group, met),
        useless=sum(one.outcome() == "withstood" and _is_useless(one.cells[label]) for one, label in best),
        left_out=sum(one.outcome() is None for one in group),
        members=Counter(label for _, label, _ in fell).most_common(),
        queries=median(cost.queries for cost in costs) if costs else None,
        labelled=median(cost.labelled for cost in costs) if costs else None,
        relative=median(shares) if shares else None,
    )


def _fixed(group: Sequence[Meeting], met: Sequence[Meeting]) -> Survival | None:
    """Survival where the thief knows the family, and takes the member that did best on it in the other seeds."""
    if len({one.replicate for one in met}) < 2:
        return None
    words = []
    for one in group:
        known = [
            other for other in met
            if other.family == one.family and other.replicate != one.replicate and other.outcome() is not None
        ]  # fmt: skip
        members = dict.fromkeys(label for other in known for label in other.cells)
        member = max(members, key=lambda label: _record(known, label), default=None)
        words.append(None if one.outcome() is None else one.alone(member).outcome())
    return Survival.of(words)


def _record(known: Sequence[Meeting], label: str) -> tuple[int, int, float, float]:
    """How well a member did: marks broken, undecided ones, evidence left on average, and how cheap it is."""
    cells = [one.cells[label] for one in known if label in one.cells]
    words = Counter("broken" if cell.verdict.word in BROKEN else cell.verdict.word for cell in cells)
    return words["broken"], words["undecided"], fmean(map(_log10_p, cells)), -_share(known, label)


def _weakness(cell: Cell) -> tuple[bool, bool, float]:
    return cell.verdict.word == "undecided", not _is_useless(cell), _log10_p(cell)


def _is_useless(cell: Cell) -> bool:
    return cell.verdict.word == "utility-lost" or USELESS in cell.verdict.flags


def _log10_p(cell: Cell) -> float:
    """How weak the evidence is that is left; no evidence, or a model without use, gains the thief least of all."""
    return -inf if cell.after is None or _is_useless(cell) else cell.after.log10_p
