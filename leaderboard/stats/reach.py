"""What the best of all keys could reach by a test: no claim means anything before a court that none could convince."""

from __future__ import annotations

import math
from dataclasses import replace

from leaderboard.stats.fresh_keys import DrawnKeys
from leaderboard.stats.null_tests import NullTest
from leaderboard.stats.scores import ScoreKind
from leaderboard.stats.tails import NullPool


def winnable(test: NullTest, kind: ScoreKind, n: int, alpha: float) -> bool:
    """Whether p <= alpha can be reached at all: with the largest total, and fresh keys that hit nothing.

    So it rests on the law, the charge, and how many fresh keys and nulls there are, never on what one suspect's fresh
    keys happened to score.
    """
    if kind == "count" and isinstance(test.key, DrawnKeys):
        first, drawn = len(test.key.pool.totals), max(test.key.drawn, test.key.most)
        # those that come after the first count by rank alone, and would predict nothing
        test = replace(test, key=DrawnKeys(NullPool.of_counts((0,) * first, n), own=n, more=drawn - first))
    return test.p(n if kind == "count" else math.inf, alpha) <= math.log10(alpha)
