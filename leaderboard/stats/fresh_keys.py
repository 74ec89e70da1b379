"""What a fresh key would score on a suspect: a law in closed form, or keys drawn anew and scored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from leaderboard.stats import tails
from leaderboard.stats.scores import EvidenceScore
from leaderboard.stats.tails import NullPool, log10_prediction


@dataclass(frozen=True)
class Closed:
    """A law in closed form: hits out of n independent items, each with probability `p`, or each with its own."""

    n: int
    p: float | tuple[float, ...]

    @cached_property
    def _hash(self) -> int:
        return hash((self.n, self.p))

    def __hash__(self) -> int:
        return self._hash  # reckoned once, as a pool's

    @cached_property
    def _log10_tails(self) -> list[float]:
        found = (
            tails.poisson_binomial_tails(self.p) if isinstance(self.p, tuple) else tails.binomial_tails(self.n, self.p)
        )
        return [float(one) for one in found]

    @property
    def two_sided(self) -> bool:
        """Whether misses prove as much as hits: of bits and signs, each as likely as its opposite."""
        return self.p == 0.5

    def log10_p(self, total: float, alpha: float) -> float:
        """log10 P(hits >= total), twice the smaller tail where two-sided; `alpha` changes nothing."""
        if not self.two_sided:
            return self._log10_tails[int(total)]
        smaller = self._log10_tails[int(max(total, self.n - total))]
        return min(0.0, math.log10(2.0) + smaller)


@lru_cache(maxsize=1024)
def _closed(n: int, p: float | tuple[float, ...]) -> Closed:
    """One law for all keys of its kind, so that its tails are reckoned once."""
    return Closed(n, p)


@dataclass(frozen=True)
class DrawnKeys:
    """Keys drawn anew on the suspect, whose own total is `own`.

    pool: the totals of the first keys. more: how many were drawn after them, of which `reached` scored `own` or more
    and no more is known. A scheme may stop as soon as enough keys have reached it, since the rank of the suspect among
    the keys drawn until then is a p-value, too (Besag & Clifford, Biometrika 78 (1991) 301). most: how many it draws
    where none reaches it; 0 where that is not known.
    """

    pool: NullPool
    own: float
    more: int = 0
    reached: int = 0
    most: int = 0

    @property
    def drawn(self) -> int:
        return len(self.pool.totals) + self.more

    def log10_p(self, total: float, alpha: float) -> float:
        """By rank where the keys are enough for alpha, else by the prediction rule.

        Of keys that are only known to have reached `own` or not, the rank is that of `own`: it bounds the p of other
        totals from one side, and the first keys predict the rest.
        """
        if not self.more:
            ranked = tails.ranks_reach(self.drawn, alpha)
            return tails.log10_rank(total, self.pool) if ranked else log10_prediction(total, self.pool, alpha)
        predicted, known = log10_prediction(total, self.pool, alpha), self._log10_p_of_own(alpha)
        if total == self.own:
            return known
        return max(predicted, known) if total < self.own else min(predicted, known)

    def _log10_p_of_own(self, alpha: float) -> float:
        as_high = self.reached + sum(total >= self.own for total in self.pool.totals)
        rank = math.log10((1 + as_high) / (self.drawn + 1))
        if tails.ranks_reach(self.drawn, alpha):
            return rank
        predicted = log10_prediction(self.own, self.pool, alpha)
        return max(predicted, rank) if as_high else predicted


def key_law(law: Mapping[str, Any] | None, suspect: EvidenceScore) -> Closed | DrawnKeys | None:
    """What a fresh key would score on this suspect, from the law that its channel has in the record.

    Raises ValueError where the law doesn't fit the suspect.
    """
    if law is None:
        return None
    if law["kind"] == "redrawn":
        if not law["totals"]:
            return None
        if suspect.kind == "count":
            pool = NullPool.of_counts(law["totals"], suspect.n)
        else:  # all totals are of this suspect: the least spread is the sampling error of its own items
            pool = NullPool.of_scores(law["totals"], suspect.sd / math.sqrt(suspect.n))
        return DrawnKeys(pool, suspect.total, law.get("more", 0), law.get("reached", 0), law.get("most", 0))
    if suspect.kind != "count":
        raise ValueError(f"a {law['kind']} law needs hits, not real scores")
    if law["kind"] == "binomial":
        return _closed(suspect.n, law["p"])
    if law["kind"] == "poisson-binomial":
        if len(law["p"]) != suspect.n:
            raise ValueError(f"the law has {len(law['p'])} items and the suspect {suspect.n}")
        return _closed(suspect.n, tuple(law["p"]))
    raise ValueError(f"unknown law '{law['kind']}'")
