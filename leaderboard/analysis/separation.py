"""Which schemes were shown worse than the best, by an exact paired test over seeds, and how many seeds would show more.

In a seed one family of schemes does better than another where a larger share of its cases (settings) survived every
thief; among equal shares, where more survived thieves who pay at most 100 %, 25 %, 5 %, 1 % of training a host. Told in
docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from leaderboard.analysis.meetings import COST_TIERS, Meeting, Survival, meetings
from leaderboard.judge.board import Board
from leaderboard.stats.seeds import seeds_to_separate, sign_p
from leaderboard.stats.tails import FAMILY_LEVEL, holm

TierShares = tuple[
    tuple[float, ...], tuple[float, ...]
]  # of a seed: shares by tier, the dearest first, as low and high


@dataclass(frozen=True)
class Placed:
    """A family of schemes beside the best one of its group's rest.

    group: 1 holds the best and all that no test shows to be worse; 2 the same of the rest, and so on. wins, losses: the
    seeds in which the best family of all did better than this one, and worse, of `seeds` that both have. p: of that,
    Holm-adjusted over all pairs of families. needed: how many seeds would show it worse if further ones fell out alike;
    None where no number would, and for the best itself.
    """

    name: str
    group: int
    wins: int
    losses: int
    seeds: int
    p: float
    needed: int | None
    best: bool = False


def placed(board: Board, attacks: Sequence[str], order: Sequence[str]) -> list[Placed]:
    """Families of a board of one task under these attacks (labels), group by group.

    order: the names of the families, best first; those without an outcome are left out.
    """
    scores = _scores(meetings(board, attacks))
    names = [name for name in order if scores.get(name)]
    pairs = list(combinations(names, 2))
    counts = {pair: _compare(scores[pair[0]], scores[pair[1]]) for pair in pairs}
    adjusted = dict(zip(pairs, holm([sign_p(*counts[pair][:2]) for pair in pairs]), strict=True))

    def shown(better: str, other: str) -> bool:
        wins, losses, _ = counts[better, other]
        return wins > losses and adjusted[better, other] <= FAMILY_LEVEL

    found: list[Placed] = []
    rest, group = names, 0
    while rest:
        group, first = group + 1, rest[0]
        together = [first, *(name for name in rest[1:] if not shown(first, name))]
        for name in together:
            if name == names[0]:
                found.append(Placed(name, group, 0, 0, len(scores[name]), 1.0, None, best=True))
            else:
                wins, losses, seeds = counts[names[0], name]
                level = FAMILY_LEVEL / len(pairs)
                needed = seeds_to_separate(wins, losses, seeds, level) if seeds else None
                found.append(Placed(name, group, wins, losses, seeds, adjusted[names[0], name], needed))
        rest = [name for name in rest if name not in together]
    return found


def _scores(met: Sequence[Meeting]) -> dict[str, dict[int, TierShares]]:
    """By family and seed; seeds without an outcome are left out."""
    groups: dict[str, dict[int, list[Meeting]]] = {}
    for one in met:
        if one.outcome() is not None:
            groups.setdefault(one.family, {}).setdefault(one.replicate, []).append(one)
    return {name: {seed: _score(those) for seed, those in seeds.items()} for name, seeds in groups.items()}


def _score(met: Sequence[Meeting]) -> TierShares:
    shares = [Survival.of(one.outcome(tier) for one in met).share for tier in reversed(COST_TIERS)]
    return tuple(low for low, _ in shares), tuple(high for _, high in shares)


def _compare(first: dict[int, TierShares], second: dict[int, TierShares]) -> tuple[int, int, int]:
    """In how many shared seeds the first did better, and worse, whatever the undecided came to; and of how many."""
    shared = first.keys() & second.keys()
    wins = sum(first[seed][0] > second[seed][1] for seed in shared)
    losses = sum(first[seed][1] < second[seed][0] for seed in shared)
    return wins, losses, len(shared)


def least_seeds(families: int) -> int | None:
    """How many seeds the test needs at the least to tell any two of so many families apart; None with fewer than "
    "two."""
    pairs = families * (families - 1) // 2
    return seeds_to_separate(1, 0, 1, FAMILY_LEVEL / pairs) if pairs else None
