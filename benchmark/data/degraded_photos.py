"""Image-to-image tasks on two real photographs: small crops, degraded by synthetic rain or by noise.

Each photograph is cut by columns into disjoint strips for owner, thief and judge, so no pixel is seen by two parties.
The judge's crops do not overlap one another either.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmark.data.photographs import photographs
from benchmark.data.tasks import SPLIT_SEED, Task

STRIPS = (0.0, 0.4, 0.8, 1.0)  # of a photograph's width: owner, thief, judge
DROPS = 0.08  # share of the pixels in which a streak is centred
STREAK = 9  # pixels, its length
BRIGHTNESS = (0.5, 1.0)  # of a streak at full strength, drawn for each crop
DEVIATION = 0.15  # standard deviation on a scale of 0 to 1


def crops(task: Task) -> list[tuple[Tensor, Tensor]]:
    """(degraded, clean) of the owner, the thief and the judge, each uint8 (N, C, H, W); the same on every call.

    Raises ValueError when the judge's strips hold too few crops that don't overlap.
    """
    degrade = DEGRADATIONS[task.name]
    whole = photographs(3).permute(0, 3, 1, 2)
    rng = torch.Generator().manual_seed(SPLIT_SEED)
    parts = []
    for party, count in enumerate((task.owner, task.thief, task.test)):
        shares = [count // len(whole) + (number < count % len(whole)) for number in range(len(whole))]
        cut = [_cut(one, party, share, task.shape[1:], rng) for one, share in zip(whole, shares, strict=True)]
        clean = torch.cat(cut)
        degraded = degrade(clean.float() / 255, rng).clamp(0, 1)
        parts.append(((degraded * 255).round().to(torch.uint8), clean))
    return parts


def _cut(photograph: Tensor, party: int, count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
    """`count` crops uint8 (count, C, *size) out of the party's strip; the judge's are cells of a grid."""
    _, height, width = photograph.shape
    left, right = (round(edge * width) for edge in STRIPS[party : party + 2])
    rows, columns = size
    if party < 2:
        tops = torch.randint(height - rows + 1, (count,), generator=rng)
        lefts = torch.randint(left, right - columns + 1, (count,), generator=rng)
    else:
        across, down = (right - left) // columns, height // rows
        if count > across * down:
            raise ValueError(f"{count} test crops of one photograph don't fit: {across * down} at most")
        cells = torch.randperm(across * down, generator=rng)[:count]
        tops, lefts = cells // across * rows, left + cells % across * columns
    places = zip(tops.tolist(), lefts.tolist(), strict=True)
    return torch.stack([photograph[:, y : y + rows, x : x + columns] for y, x in places])


def rain(clean: Tensor, rng: torch.Generator) -> Tensor:
    """White streaks over images (N, C, H, W) in [0, 1]: one slant, density and brightness for each image."""
    n, _, height, width = clean.shape
    reach = STREAK // 2
    drops = (torch.rand(n, height + 2 * reach, width + 2 * reach, generator=rng) < DROPS).float()
    drops *= torch.rand(drops.shape, generator=rng)
    slant = torch.rand(n, generator=rng) - 0.5  # pixels to the side for each pixel down
    strength = BRIGHTNESS[0] + (BRIGHTNESS[1] - BRIGHTNESS[0]) * torch.rand(n, 1, 1, generator=rng)
    streaks = torch.zeros(n, height, width)
    for step in range(-reach, reach + 1):
        aside = (slant * step).round().long()
        for index in range(n):
            x = reach + int(aside[index])
            moved = drops[index, reach + step : reach + step + height, x : x + width]
            streaks[index] = torch.maximum(streaks[index], moved)
    return clean + (streaks * strength)[:, None] * (1 - clean)


def noise(clean: Tensor, rng: torch.Generator) -> Tensor:
    """Gaussian noise on every pixel and channel of images (N, C, H, W) in [0, 1]."""
    return clean + DEVIATION * torch.randn(clean.shape, generator=rng)


DEGRADATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {"derain": rain, "denoise": noise}
