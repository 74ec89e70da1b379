"""What was seen of unmarked models under one key, scored once for every suspect that is held against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from leaderboard.stats import null_tests, scores
from leaderboard.stats.scores import EvidenceScore
from leaderboard.stats.tails import NullPool


@dataclass(frozen=True)
class ScoredNulls:
    """Nulls on one channel. pool: None where there are none."""

    scores: Sequence[EvidenceScore]
    pool: NullPool | None


@dataclass(frozen=True)
class Nulls:
    """The observations of one pool of unmarked models; name: of the pool."""

    name: str
    seen: Sequence[Mapping[str, Any]]
    kept: dict[tuple[str, bool], ScoredNulls] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def readable(self) -> list[Mapping[str, Any]]:
        return [null for null in self.seen if null.get("unreadable") is None]

    def scored(self, channel: str, *, all_have_it: bool = True) -> ScoredNulls:
        """Those that can be read, on a channel. all_have_it: otherwise those that lack it are left out.

        Raises KeyError where one lacks it, ValueError where scores are none or of different items.
        """
        if (channel, all_have_it) not in self.kept:
            those = [null for null in self.readable if all_have_it or channel in null["channels"]]
            found = [scores.score(null, channel) for null in those]
            pool = null_tests.null_pool(self.name, found) if found else None
            self.kept[channel, all_have_it] = ScoredNulls(found, pool)
        return self.kept[channel, all_have_it]
