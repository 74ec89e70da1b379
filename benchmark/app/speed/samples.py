"""What was timed, as figures: the median of a few samples, and an interval around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

import torch

COVERED = 0.95


@dataclass(frozen=True)
class Figure:
    """One measured number. low, high: the interval of its median; equal to `value` where it was measured once."""

    value: float
    unit: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError("a figure lies in its interval")

    @classmethod
    def of(cls, samples: Sequence[float], unit: str) -> Figure:
        """The median of `samples`, in the interval from one of them to another that holds the true median.

        It does so for 95 % of such samplings, whatever their distribution: as many as possible of the least and of the
        greatest are left out (order statistics; David & Nagaraja, Order Statistics, section 7.1). Of fewer than six,
        all lie in it, and it holds the median less often.
        """
        ordered, n = sorted(samples), len(samples)
        outside, left_out = 0.0, 0  # outside: how often one end lies beyond the true median
        while 2 * (outside := outside + comb(n, left_out) / 2**n) <= 1 - COVERED:
            left_out += 1
        first = max(0, left_out - 1)
        return cls(median(ordered), unit, ordered[first], ordered[-1 - first])


def timed(run: Callable[[], object], device: torch.device) -> float:
    """The seconds until `run` and what it left to the device have come to an end."""
    begin = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin
