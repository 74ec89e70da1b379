"""What the members of an ensemble of thieves did to one scheme at one seed, and what marks survived all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain
from math import inf
from operator import or_

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
        return self._outcomes[up_to]

    @cached_property
    def _outcomes(self) -> list[str | None]:
        """The outcome at every cost tier."""
        words: list[set[str]] = [set() for _ in COST_TIERS]
        for label, one in self.cells.items():
            words[tier(self.work[label]) if label in self.work else COST_TIERS[-1]].add(one.verdict.word)
        failed = not _NO_OUTCOME.isdisjoint(chain.from_iterable(words))
        return [_outcome(met, failed=failed) for met in accumulate(words, or_)]

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


def _outcome(words: set[str], *, failed: bool) -> str | None:
    """What the words of several members come to. failed: whether one that would have an outcome has none."""
    if words.isdisjoint(_JUDGED):
        return None
    if not words.isdisjoint(BROKEN):
        return "broken"
    return None if failed else "undecided" if "undecided" in words else "withstood"


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
    members = tuple(attacks)
    return board.once(("meetings", members), lambda: _meetings(board, members))


def _meetings(board: Board, attacks: Sequence[str]) -> list[Meeting]:
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


def _weakness(cell: Cell) -> tuple[bool, bool, float]:
    return cell.verdict.word == "undecided", not is_useless(cell), log10_p(cell)


def is_useless(cell: Cell) -> bool:
    return cell.verdict.word == "utility-lost" or USELESS in cell.verdict.flags


def log10_p(cell: Cell) -> float:
    """How weak the evidence is that is left; no evidence, or a model without use, gains the thief least of all."""
    return -inf if cell.after is None or is_useless(cell) else cell.after.log10_p
