"""What the best of all keys could reach by a test: no claim means anything before a court that none could convince."""

from __future__ import annotations

import math
from dataclasses import replace

from leaderboard.stats.null_tests import NullTest, ScoreKind
from leaderboard.stats.tails import NullPool


def winnable(test: NullTest, kind: ScoreKind, n: int, alpha: float) -> bool:
    """Whether p <= alpha can be reached at all: with the largest total, and fresh keys that hit nothing.

    So it rests on the law, the charge, and how many fresh keys and nulls there are, never on what one suspect's fresh
    keys happened to score.
    """
    if kind == "count" and isinstance(test.key, NullPool):
        test = replace(test, key=NullPool.of_counts((0,) * len(test.key.totals), n))
    return test.p(n if kind == "count" else math.inf, alpha) <= math.log10(alpha)
