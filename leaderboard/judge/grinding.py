"""Grinding: a claimant draws secrets until one fits what his own extractor reads in every image, and commits to that.

His commitment then shows nothing: it came before the suspect, and so did what the extractor reads where nobody hid
anything. So the search is measured there, and charged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from leaderboard.stats import tails


def ground_bits(unmarked: Iterable[Mapping[str, Any]]) -> int:
    """log2, rounded up, of the secrets to try until one fits an unmarked reading as well as this key's does.

    unmarked: channels of fair bits that the key's extractor read where nobody hid anything, on clean images or in
    unmarked models. The best fit counts, to the bits or to their inverse; a key that nobody ground costs some 3 bits.
    """
    return max((math.ceil(_rarity(one["hits"])) for one in unmarked), default=0)


def _rarity(hits: str) -> float:
    """-log2 of the probability that fair bits agree or disagree in at least so many places."""
    n, agreed = len(hits), hits.count("1")
    return max(0.0, tails.rarity(float(tails.binomial_tails(n, 0.5)[max(agreed, n - agreed)])) - 1)
