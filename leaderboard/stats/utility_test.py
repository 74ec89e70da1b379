"""Is the model as useful as before? A paired test on the same test items, at a budget.

Right and wrong answers: Tango's score test (Statistics in Medicine 17 (1998) 891), in closed form. Images: Student's
paired t on the PSNR of each image. A model that is no better than one that does nothing has lost its use, whatever the
budget: a classifier must beat the most frequent class, an image-to-image net must gain 3 dB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

CRITICAL = 1.645  # one-sided 5 %
SCALE = {"points": 100.0, "dB": 1.0}  # from a net loss as it is kept to the unit it is shown in
LEAST_GAIN = 3.0  # dB over doing nothing, from which on an image-to-image model is of use at all

# a model on the test set: {"correct": "0101…", "majority": the same of the most frequent class; older records lack it},
# or {"psnr": [dB per image], "identity": [dB of doing nothing]} and, printed only, {"ssim": [of each image]}
ItemOutcomes = Mapping[str, Any]
UtilityState = Literal["kept", "lost", "unclear"]


@dataclass(frozen=True)
class Utility:
    """A net loss, its state at `budget`, and its 90 % interval.

    unit "points": delta = (losses - gains) / n, a fraction in [-1, 1], as are budget and interval; z is Tango's.
    unit "dB": delta is the mean loss of PSNR, budget and interval are in dB, z is Student's t; losses and gains are
    the images that came out worse and better. gain: mean PSNR of the suspect over doing nothing, in dB. useless: the
    suspect does not do its task (`does_the_job`), so that the state is lost, whatever the loss.
    """

    losses: int
    gains: int
    n: int
    budget: float
    delta: float
    z: float
    state: UtilityState
    interval: tuple[float, float]
    unit: str = "points"
    gain: float | None = None
    useless: bool = False

    @property
    def change(self) -> float:
        """The change in `unit`; a loss is negative."""
        return 0.0 - SCALE[self.unit] * self.delta


def compare(before: ItemOutcomes, after: ItemOutcomes, budget: float, unit: str) -> Utility:
    """Two models on the same test items, at `budget` in `unit`. Raises ValueError where the outcomes don't fit."""
    for seen in (before, after):
        if unit_of(seen) != unit:
            raise ValueError(f"outcomes in {unit_of(seen)} on a track that counts in {unit}")
    if unit == "points":
        found = utility(*paired(before["correct"], after["correct"]), budget / SCALE[unit])
    else:
        found = fidelity(_decibels(before["psnr"]), _decibels(after["psnr"]), budget, gain(after))
    return found if does_the_job(after) else replace(found, state="lost", useless=True)


def unit_of(seen: ItemOutcomes) -> str:
    """The unit of changes of these outcomes: "points" or "dB"."""
    return "points" if "correct" in seen else "dB"


def level(seen: ItemOutcomes | None) -> float | None:
    """Accuracy in [0, 1], or mean PSNR in dB; None where there is no item."""
    if seen is None:
        return None
    if "correct" in seen:
        return seen["correct"].count("1") / len(seen["correct"]) if seen["correct"] else None
    return float(np.mean(seen["psnr"])) if len(seen["psnr"]) else None


def similarity(seen: ItemOutcomes | None) -> float | None:
    """Mean SSIM, printed beside the PSNR that verdicts rest on; None where it was not measured."""
    found = seen.get("ssim") if seen else None
    return float(np.mean(found)) if found else None


def gain(seen: ItemOutcomes) -> float | None:
    """Mean PSNR over doing nothing, in dB; None for answers that are right or wrong."""
    if "psnr" not in seen or not len(seen["psnr"]):
        return None
    return float(np.mean(seen["psnr"]) - np.mean(seen["identity"]))


def does_the_job(seen: ItemOutcomes | None) -> bool:
    """Whether a model does its task: an image-to-image model must gain LEAST_GAIN.

    A classifier must be right more often than the most frequent class of the test set, by a paired test at 5 %
    (one-sided, `tango_z` at budget 0). What wasn't measured, as the class in older records, counts against no model.
    """
    if seen is None:
        return True
    if (gained := gain(seen)) is not None:
        return gained >= LEAST_GAIN
    majority = seen.get("majority")
    return majority is None or _is_better(majority, seen["correct"])


@lru_cache(maxsize=65536)
def _is_better(majority: str, correct: str) -> bool:
    return tango_z(*paired(majority, correct), 0.0) <= -CRITICAL


def fidelity(
    before: NDArray[np.float64], after: NDArray[np.float64], budget: float, gained: float | None = None
) -> Utility:
    """Paired t of the loss of PSNR, in dB, image by image, against `budget`: one-sided at 5 %, interval 90 %.

    Fewer than two images are unclear; equal losses on all of them have no error.
    """
    if before.shape != after.shape:
        raise ValueError(f"paired outcomes need the same images: {before.size} before, {after.size} after")
    lost = before - after
    n = lost.size
    delta = float(lost.mean()) if n else 0.0
    worse, better = int((lost > 0).sum()), int((lost < 0).sum())
    t, critical, half = 0.0, math.inf, math.inf
    if n > 1:
        error, critical = float(lost.std(ddof=1)) / math.sqrt(n), float(special.stdtrit(n - 1, 0.95))
        over, half = delta - budget, critical * error
        t = over / error if error > 0 else math.copysign(math.inf, over) if over else 0.0
    interval = delta - half, delta + half
    return Utility(worse, better, n, budget, delta, t, _state(t, critical), interval, "dB", gained)


def _decibels(values: Any) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError("PSNR is one finite number of dB per image")
    return found


@lru_cache(maxsize=65536)
def paired(before: str, after: str) -> tuple[int, int, int]:
    """Losses (right before, wrong after), gains and n from two strings of '0' and '1' over the same items."""
    if len(before) != len(after):
        raise ValueError(f"paired outcomes need the same items: {len(before)} before, {len(after)} after")
    if not set(before + after) <= {"0", "1"}:
        raise ValueError("outcomes are strings of '0' and '1'")
    was, now = int(before or "0", 2), int(after or "0", 2)  # outcomes as bits: counted without a loop
    return (was & ~now).bit_count(), (now & ~was).bit_count(), len(before)


def tango_z(losses: int, gains: int, n: int, budget: float) -> float:
    """Score statistic of net loss = `budget`, a fraction in (-1, 1); negative: the loss is less than that.

    0 where the pairs carry no information (n = 0, or no losses, no gains and budget 0).
    """
    if min(losses, gains) < 0 or losses + gains > n:
        raise ValueError(f"{losses} losses and {gains} gains do not fit into {n} pairs")
    if not -1 < budget < 1:
        raise ValueError(f"a budget is a fraction between -1 and 1, not {budget}")
    if n == 0:
        return 0.0
    a = 2 * n
    b = (2 * n - losses + gains) * budget - losses - gains
    c = -gains * budget * (1 - budget)
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    q = -2 * c / (root + b) if b > 0 else (root - b) / (2 * a)  # one root, without cancellation
    variance = n * (2 * q + budget * (1 - budget))
    return (losses - gains - n * budget) / math.sqrt(variance) if variance > 0 else 0.0


@lru_cache(maxsize=65536)
def utility(losses: int, gains: int, n: int, budget: float) -> Utility:
    """Kept (z <= -1.645), lost (z >= 1.645) or unclear at `budget`.

    The interval holds the net losses whose |z| stays below 1.645, within [-1, 1].
    """
    z = tango_z(losses, gains, n, budget)
    delta = (losses - gains) / n if n else 0.0
    return Utility(losses, gains, n, budget, delta, z, _state(z, CRITICAL), _interval(losses, gains, n))


def _state(statistic: float, critical: float) -> UtilityState:
    return "kept" if statistic <= -critical else "lost" if statistic >= critical else "unclear"


@lru_cache(maxsize=65536)
def _interval(losses: int, gains: int, n: int) -> tuple[float, float]:
    return _budget_at(CRITICAL, losses, gains, n), _budget_at(-CRITICAL, losses, gains, n)


def _budget_at(z: float, losses: int, gains: int, n: int) -> float:
    """The budget where the statistic, which falls in it, passes z; -1 or 1 where it never does."""
    if n == 0:
        return -1.0 if z > 0 else 1.0
    low, high = -1.0, 1.0
    for _ in range(52):
        middle = (low + high) / 2
        if tango_z(losses, gains, n, middle) > z:
            low = middle
        else:
            high = middle
    return low if z > 0 else high  # the outer end, so that a net loss of -1 or 1 lies inside
