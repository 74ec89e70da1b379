"""Made-up observations and pools of them, to be weighed."""

import math
from typing import Any

from leaderboard.judge.evidence import Evidence, weigh

from ..conftest import NULL_HITS

UNIFORM = {"kind": "binomial", "p": 0.1}
BITS = {"kind": "binomial", "p": 0.5}


def observed(channel: dict[str, Any]) -> dict[str, Any]:
    channels = {"bits": channel, "carried": {"hits": "1111"}}
    return {"evidence": "bits", "channels": channels, "gates": {}, "unreadable": None}


def hits(total: int, n: int, law: dict[str, Any] | None = None) -> dict[str, Any]:
    channel: dict[str, Any] = {"hits": "1" * total + "0" * (n - total)}
    return observed(channel if law is None else {**channel, "law": law})


def scores(mean: float, sd: float = 0.01, n: int = 64) -> dict[str, Any]:
    """n values with exactly this mean and standard deviation."""
    step = sd * math.sqrt((n - 1) / n)
    return observed({"values": [mean - step, mean + step] * (n // 2)})


def count_pool(totals: list[int], n: int) -> list[dict[str, Any]]:
    return [hits(total, n) for total in totals]


def trigger_set(total: int, alpha: float = 1e-3, **options: Any) -> Evidence:
    return weigh(hits(total, 100, UNIFORM), {"clean": count_pool(NULL_HITS, 100)}, alpha, **options)
