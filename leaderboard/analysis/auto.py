"""Survival under `auto`: what the best of a fixed ensemble of thieves leaves of each scheme's mark, seed by seed.

The run says what is in the ensemble (`DescribedAuto`); here its members' cells are read, and no job is run. Of a scheme
and a seed the thief is granted the member that does best for him, which he could not know: survival is a lower bound.
Beside it stands what he reaches where the member is fixed for the scheme by the other seeds. See docs/auto.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from statistics import fmean, median

from leaderboard.analysis.meetings import COST_TIERS, Meeting, Survival, is_useless, log10_p, meetings
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.verdicts import BROKEN


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


def picks(board: Board) -> list[tuple[str, Cell]]:
    """The cell that stands for the ensemble at each scheme and seed, with the member's label, over all tasks."""
    return [(one.best, one.cells[one.best]) for part in board.parts for one in meetings(part) if one.best is not None]


def by_setting(board: Board) -> list[AutoRow]:
    """The schemes of a board of one task, best first."""
    return board.once("by setting", lambda: _rows(board, lambda one: one.scheme, None))


def by_family(board: Board, attacks: Sequence[str] | None = None) -> list[AutoRow]:
    """Its families of schemes, each over all its settings and seeds, best first; attacks: as in `meetings`."""
    members = None if attacks is None else tuple(attacks)
    return board.once(("by family", members), lambda: _rows(board, lambda one: one.family, members))


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


def _rows(board: Board, name: Callable[[Meeting], str], attacks: Sequence[str] | None) -> list[AutoRow]:
    met = meetings(board, attacks)
    groups: dict[str, list[Meeting]] = {}
    for one in met:
        groups.setdefault(name(one), []).append(one)
    fixed = _fixed(met)
    rows = [_row(title, board.track.task, group, fixed) for title, group in groups.items()]
    return sorted(rows, key=lambda row: row.order, reverse=True)


def _row(name: str, task: str, group: Sequence[Meeting], fixed: Mapping[tuple[str, int], str | None]) -> AutoRow:
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
        fixed=Survival.of(_against(one, fixed[one.family, one.replicate]) for one in group) if fixed else None,
        useless=sum(one.outcome() == "withstood" and is_useless(one.cells[label]) for one, label in best),
        left_out=sum(one.outcome() is None for one in group),
        members=Counter(label for _, label, _ in fell).most_common(),
        queries=median(cost.queries for cost in costs) if costs else None,
        labelled=median(cost.labelled for cost in costs) if costs else None,
        relative=median(shares) if shares else None,
    )


def _fixed(met: Sequence[Meeting]) -> dict[tuple[str, int], str | None]:
    """By family and seed, the member of a thief who knows the family: the one that did best on it in the other seeds.

    Empty where there is one seed.
    """
    groups: dict[str, dict[int, list[Meeting]]] = {}
    for one in met:
        groups.setdefault(one.family, {}).setdefault(one.replicate, []).append(one)
    if len({one.replicate for one in met}) < 2:
        return {}
    found: dict[tuple[str, int], str | None] = {}
    for family, seeds in groups.items():
        for seed in seeds:
            known = [one for one in met if one.family == family and one.replicate != seed and one.outcome() is not None]
            members = dict.fromkeys(label for one in known for label in one.cells)
            found[family, seed] = max(members, key=partial(_record, known), default=None)
    return found


def _against(one: Meeting, member: str | None) -> str | None:
    """The outcome where the thief has this member alone; None where that of all is open."""
    return None if one.outcome() is None else one.alone(member).outcome()


def _record(known: Sequence[Meeting], label: str) -> tuple[int, int, float, float]:
    """How well a member did: marks broken, undecided ones, evidence left on average, and how cheap it is."""
    cells = [one.cells[label] for one in known if label in one.cells]
    words = Counter("broken" if cell.verdict.word in BROKEN else cell.verdict.word for cell in cells)
    return words["broken"], words["undecided"], fmean(map(log10_p, cells)), -_share(known, label)
