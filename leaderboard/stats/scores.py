"""What a model scored under a key, from one channel of its observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

ScoreKind = Literal["count", "real"]


@dataclass(frozen=True)
class EvidenceScore:
    """One model on the channel that counts: hits out of n, or the mean of n real scores and their sd."""

    total: float
    n: int
    kind: ScoreKind
    sd: float = 0.0


@dataclass(frozen=True)
class ChannelTotal:
    """The total of one channel out of n items: an int where it counts hits, the mean of real scores."""

    total: float
    n: int


def total_of(items: Mapping[str, Any]) -> ChannelTotal:
    """The total of one channel as it was recorded."""
    if "hits" in items:
        return ChannelTotal(items["hits"].count("1"), len(items["hits"]))
    return ChannelTotal(sum(items["values"]) / len(items["values"]), len(items["values"]))


def score(observation: Mapping[str, Any], channel: str) -> EvidenceScore:
    """The score of an observation. Raises ValueError where its items are none."""
    items = observation["channels"][channel]
    if "hits" in items:
        return _count(items["hits"], channel)
    values = np.asarray(items["values"], dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"channel '{channel}' needs one finite score per key item")
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return EvidenceScore(float(values.mean()), len(values), "real", sd)


@lru_cache(maxsize=65536)
def _count(hits: str, channel: str) -> EvidenceScore:
    ones = hits.count("1")
    if not hits or ones + hits.count("0") != len(hits):
        raise ValueError(f"channel '{channel}' needs one '0' or '1' per key item")
    return EvidenceScore(ones, len(hits), "count")
