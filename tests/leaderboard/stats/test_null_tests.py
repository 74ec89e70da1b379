"""Whether a total reaches theta0, told by one p-value, against the threshold that is looked for."""

from __future__ import annotations

import numpy as np
import pytest

from leaderboard.stats.fresh_keys import Closed, DrawnKeys
from leaderboard.stats.null_tests import NullTest, reaches_theta0, theta0
from leaderboard.stats.tails import NullPool

N = 60
KEYS = {"no law": None, "one side": Closed(N, 0.3), "two sides": Closed(N, 0.5)}


def of_counts(rng: np.random.Generator, key: Closed | None, strict: bool) -> NullTest:
    pools = [NullPool.of_counts(rng.binomial(N, rng.uniform(0.1, 0.6), int(rng.integers(1, 24))).tolist(), N)]
    return NullTest(key, tuple(pools[: rng.integers(0 if key else 1, 2)]), float(rng.choice([0.0, 3.0])), strict)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("law", KEYS)
def test_every_count_reaches_it_or_not(law: str, strict: bool) -> None:
    rng, found = np.random.default_rng(0), set()
    for _ in range(60):
        test, alpha = of_counts(rng, KEYS[law], strict), float(rng.choice([0.05, 1e-3, 1e-6]))
        least = theta0(test, "count", N, alpha)
        for total in np.linspace((N + 1) // 2 if test.two_sided else 0, N, 81):
            reached = reaches_theta0(test, "count", N, alpha, float(total))
            assert reached == (least is not None and total >= least)
            found.add(reached)
    assert found == {True, False}


@pytest.mark.parametrize("keys", [0, 6, 30])
def test_every_mean_of_real_scores_reaches_it_or_not(keys: int) -> None:
    rng, found = np.random.default_rng(keys), set()
    for _ in range(40):
        means = rng.normal(rng.normal(), 0.1, int(rng.integers(2, 24))).tolist()
        drawn = DrawnKeys(NullPool.of_scores(rng.normal(0, 0.1, keys).tolist(), 0.05), own=1.0) if keys else None
        test = NullTest(drawn, (NullPool.of_scores(means, 0.05),), 0.0)
        alpha = float(rng.choice([0.05, 1e-3, 1e-6]))
        least = theta0(test, "real", N, alpha)
        for total in np.linspace(-3, 3, 81):
            reached = reaches_theta0(test, "real", N, alpha, float(total))
            assert reached == (least is not None and total >= least)
            found.add(reached)
    assert found == {True, False}
