"""Scores of schemes over seeds, board by board: mean, worst case in a cost tier, ranks, and cost to break.

Boards (kinds of attack) are never summed. A mark is withstood where it held, and where the thief lost the utility.
Every score is computed twice, undecided counted as broken and as withstood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations
from math import inf
from statistics import fmean, median

from leaderboard.judge.board import Board
from leaderboard.judge.summaries import AttackRow, tier, work_share
from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH, Tally, Verdict
from leaderboard.stats.seeds import LEAST_FOR_INTERVAL, difference_p, mean_interval, worst_case
from leaderboard.stats.tails import FAMILY_LEVEL, holm

BROKEN, WITHSTOOD = 0.0, 1.0  # the two ways of counting an undecided cell


@dataclass(frozen=True)
class SeedScore:
    """One way of counting undecided cells, over m seeds.

    mean: in [0, 1]: per seed the mean over the attacks of a family, then over families. interval: its 95 %
    interval, None with fewer than 3 seeds. worst: the smallest one-sided 95 % lower bound over the attacks.
    survivors: seeds that survived every attack. lowest: the smallest share that survived one attack, biased down.
    """

    mean: float
    interval: tuple[float, float] | None
    worst: float
    survivors: int
    lowest: float


@dataclass(frozen=True)
class Standing:
    """A scheme on one board. low, high: undecided counted as broken, and as withstood.

    seeds: those with any outcome. attacks: those judged in every such seed; others are left out of the scores. useless:
    how many of their cells were withstood because the thief lost the utility, with the mark or without it.
    left_out: cells without an outcome (embed-failed, not-applicable, crashed, timeout and the like), and cells of
    attacks that lack a seed.
    """

    scheme: str
    seeds: int
    attacks: int
    left_out: int
    useless: int
    low: SeedScore
    high: SeedScore


@dataclass(frozen=True)
class Ranked:
    """A standing and its rank; schemes that no test separates share one. None where seeds allow no ranks."""

    standing: Standing
    rank: int | None
    tied: bool


@dataclass(frozen=True)
class CostToBreak:
    """The cheapest attack that broke a scheme in more than half of its seeds; censored where `attack` is None.

    broken, seeds: in how many of how many. relative: counted work over training one host. tried: how many attacks
    have an outcome; dearest: the largest relative work among them, which a censored cost exceeds.
    """

    attack: str | None = None
    broken: int = 0
    seeds: int = 0
    relative: float | None = None
    seconds: float | None = None
    no_better: bool = False
    tried: int = 0
    dearest: float | None = None

    @property
    def tier(self) -> int | None:
        return None if self.relative is None else tier(self.relative)


@dataclass(frozen=True)
class SeedOutcomes:
    """What one scheme's cells of one board came to: by attack, by seed, 1 withstood, 0 broken, None undecided.

    useless: the (attack, seed) of those in which the thief lost the utility.
    """

    scheme: str
    families: Mapping[str, str]
    by_attack: Mapping[str, Mapping[int, float | None]]
    cells: int
    useless: Collection[tuple[str, int]] = ()

    @cached_property
    def seeds(self) -> list[int]:
        return sorted({seed for found in self.by_attack.values() for seed in found})

    @cached_property
    def complete(self) -> list[str]:
        """The attacks judged in every seed."""
        return [label for label, found in self.by_attack.items() if len(found) == len(self.seeds)]

    def weights(self, attacks: Sequence[str]) -> list[float]:
        """Of each attack: families count alike, and within a family its attacks."""
        families = [self.families[label] for label in attacks]
        size = Counter(families)
        return [1 / (len(size) * size[family]) for family in families]

    def rows(self, attacks: Sequence[str], seeds: Sequence[int], undecided: float) -> list[list[float]]:
        """The outcome in each of `seeds`, one row per attack."""
        found = ([self.by_attack[attack][seed] for seed in seeds] for attack in attacks)
        return [[undecided if value is None else value for value in row] for row in found]

    @cached_property
    def undecided(self) -> bool:
        """Whether any outcome is, so that it matters how those are counted."""
        return any(value is None for found in self.by_attack.values() for value in found.values())

    @cached_property
    def _shared(self) -> dict[Hashable, tuple[list[float], list[int]]]:
        return {}

    def shared(self, attacks: Sequence[str], seeds: Sequence[int], undecided: float) -> tuple[list[float], list[int]]:
        """The mean score in each of `seeds`, and in how many each attack was withstood: found once for all pairs."""
        key = *attacks, *seeds, undecided
        if key not in self._shared:
            rows = self.rows(attacks, seeds, undecided)
            self._shared[key] = _per_seed(rows, self.weights(attacks)), _withstood(rows)
        return self._shared[key]

    def score(self, undecided: float) -> SeedScore:
        rows, weights = self.rows(self.complete, self.seeds, undecided), self.weights(self.complete)
        scores, counts = _per_seed(rows, weights), _withstood(rows)
        return SeedScore(
            mean=fmean(scores),
            interval=mean_interval(scores, weights, counts),
            worst=worst_case(counts, len(scores)),
            survivors=sum(min(seed) == WITHSTOOD for seed in zip(*rows, strict=True)),
            lowest=min(counts) / len(scores),
        )


def _per_seed(rows: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """The mean score of each seed."""
    return [sum(w * one for w, one in zip(weights, seed, strict=True)) for seed in zip(*rows, strict=True)]


def _withstood(rows: Sequence[Sequence[float]]) -> list[int]:
    """In how many seeds each attack was withstood."""
    return [round(sum(row)) for row in rows]


@lru_cache(maxsize=4096)
def _came_to(verdict: Verdict) -> tuple[bool, float | None, bool]:
    """Whether a cell has an outcome, which (None: undecided), and whether the thief lost the utility."""
    tally = Tally.of([verdict])
    return tally.judged > 0, None if tally.undecided else float(tally.withstood), tally.useless > 0


@dataclass(frozen=True)
class Scores:
    """The scores of a board. `kind` names one of its boards, never several."""

    board: Board

    def columns(self, kind: str, up_to: int | None = None) -> list[AttackRow]:
        """The attacks of a board; up_to: only those of this cost tier and cheaper ones.

        A thief who can pay for one tier can pay for those below it.
        """
        rows = (row for row in self.board.attacks if row.kind == kind)
        return [row for row in rows if up_to is None or (row.tier is not None and row.tier <= up_to)]

    def outcomes(self, scheme: str, kind: str, *, up_to: int | None = None, committed: bool = False) -> SeedOutcomes:
        """What the cells of `scheme` came to. committed: before a court that asks for commitment (claims)."""
        found: dict[str, dict[int, float | None]] = {}
        columns, count, useless = self.columns(kind, up_to), 0, set()
        for row in columns:
            for cell in self.board.at(scheme, row.label):
                count += 1
                judged, value, lost = _came_to((cell.committed if committed else None) or cell.verdict)
                if judged:
                    useless |= {(row.label, cell.replicate)} if lost else set()
                    found.setdefault(row.label, {})[cell.replicate] = value
        families = {row.label: str(row.described["family"]) for row in columns}
        return SeedOutcomes(scheme, families, found, count, useless)

    def standings(self, kind: str, *, up_to: int | None = None, committed: bool = False) -> list[Standing]:
        """Every scheme with a score, best first: by the worst case, then by the mean score."""
        found = []
        for row in self.board.schemes:
            one = self.outcomes(row.label, kind, up_to=up_to, committed=committed)
            if one.complete:
                counted = len(one.complete) * len(one.seeds)
                useless = sum(attack in one.complete for attack, _ in one.useless)
                low, high = one.score(BROKEN), one.score(WITHSTOOD)
                found.append(
                    Standing(row.label, len(one.seeds), len(one.complete), one.cells - counted, useless, low, high)
                )
        return sorted(found, key=lambda one: (one.low.worst, one.low.mean), reverse=True)

    def ranking(self, kind: str, *, committed: bool = False) -> list[Ranked]:
        """The standings with ranks: a scheme is below another only where every pair across the line is separated.

        A pair is separated where p <= .05 after Holm over all pairs shown, with undecided counted either way, on
        the attacks and seeds the two share, and the scheme with the higher mean stands first.
        """
        ordered = self.standings(kind, committed=committed)
        if not any(one.seeds >= LEAST_FOR_INTERVAL for one in ordered):
            return [Ranked(one, None, False) for one in ordered]
        found = {one.scheme: self.outcomes(one.scheme, kind, committed=committed) for one in ordered}
        pairs = list(combinations([one.scheme for one in ordered], 2))
        adjusted = holm([_pair_p(found[a], found[b]) for a, b in pairs])
        separated = {pair for pair, p in zip(pairs, adjusted, strict=True) if p <= FAMILY_LEVEL}
        place = {one.scheme: at for at, one in enumerate(ordered)}
        below = list(range(len(ordered)))  # of each scheme, the last that it is not separated from
        for a, b in pairs:
            if (a, b) not in separated:
                below[place[a]] = max(below[place[a]], place[b])
        ranks, first, reach = [], 0, 0
        for at, last in enumerate(below):
            first = at if reach < at else first  # no scheme above this line reaches across it
            reach = max(reach, last)
            ranks.append(first + 1)
        return [Ranked(one, rank, ranks.count(rank) > 1) for one, rank in zip(ordered, ranks, strict=True)]

    def cost_to_break(self, scheme: str, kind: str) -> CostToBreak | None:
        """What it took to break `scheme` on this board; None where no attack has an outcome."""
        options = [one for row in self.columns(kind) if (one := self._price(scheme, row.label)) is not None]
        if not options:
            return None
        dearest = max((one.relative for one in options if one.relative is not None), default=None)
        broken = [one for one in options if 2 * one.broken > one.seeds]
        if not broken:
            return CostToBreak(tried=len(options), dearest=dearest)
        cheapest = min(broken, key=lambda one: (inf if one.relative is None else one.relative, one.seconds or 0.0))
        return replace(cheapest, tried=len(options), dearest=dearest)

    def _price(self, scheme: str, attack: str) -> CostToBreak | None:
        """One attack's outcomes and its price: medians over this scheme's own cells."""
        cells = self.board.at(scheme, attack)
        tally = Tally.of(cell.verdict for cell in cells)
        if not tally.judged:
            return None
        shares = [s for cell in cells if (s := work_share(cell.cost, self.board.host_operations)) is not None]
        seconds = [cell.cost.seconds for cell in cells if cell.cost]
        flagged = sum(NO_BETTER_THAN_SCRATCH in cell.verdict.flags for cell in cells)
        return CostToBreak(
            attack=attack,
            broken=tally.broken,
            seeds=tally.judged,
            relative=median(shares) if shares else None,
            seconds=median(seconds) if seconds else None,
            no_better=2 * flagged > tally.broken,
        )


def _pair_p(first: SeedOutcomes, second: SeedOutcomes) -> float:
    """p that the first is not above the second, the larger of both ways of counting; 1 where it is not ahead."""
    seeds = sorted(set(first.seeds) & set(second.seeds))
    both = set(second.complete)
    attacks = [label for label in first.complete if label in both]
    if len(seeds) < LEAST_FOR_INTERVAL or not attacks:
        return 1.0
    weights, p_values = first.weights(attacks), []
    for way in (BROKEN, WITHSTOOD) if first.undecided or second.undecided else (BROKEN,):
        (mine, held), (other, others) = (one.shared(attacks, seeds, way) for one in (first, second))
        ahead = fmean(mine) > fmean(other)
        p_values.append(difference_p(mine, other, weights, held, others) if ahead else 1.0)
    return max(p_values)
