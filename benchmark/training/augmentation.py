"""Augmentation of images in batches: every image by its own draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.training.batches import Batch
from benchmark.training.recipe import Recipe

Augment = Callable[[Tensor, Tensor, torch.Generator], Batch]  # images, targets and what is drawn from


def random_shift(x: Tensor, pixels: int, rng: torch.Generator, border: Literal["zeros", "reflect"] = "zeros") -> Tensor:
    """Each image of (n, C, H, W) moved by its own -pixels..pixels in both directions; `border` says what comes in."""
    n, _, height, width = x.shape
    padded = F.pad(x, (pixels,) * 4, mode="reflect" if border == "reflect" else "constant")
    dy, dx = torch.randint(0, 2 * pixels + 1, (2, n, 1), generator=rng, device=rng.device).to(x.device)
    rows = (torch.arange(height, device=x.device) + dy)[:, None, :, None]
    columns = (torch.arange(width, device=x.device) + dx)[:, None, None, :]
    image = torch.arange(n, device=x.device)[:, None, None, None]
    channel = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
    return padded[image, channel, rows, columns]


def random_flip(x: Tensor, rng: torch.Generator) -> Tensor:
    """Each image of (n, C, H, W) mirrored left to right with probability 1/2."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=rng, device=rng.device).to(x.device) < 0.5
    return torch.where(mirrored, x.flip(3), x)


def augmented(batch: Batch, recipe: Recipe, rng: torch.Generator, more: Augment | None = None) -> Batch:
    """What a step sees of the first source: images shifted and mirrored by the recipe, then by `more`; channels_last.

    Targets that are images move along.
    """
    x, targets = _moved(batch, recipe, rng) if recipe.shift or recipe.flip else batch
    x = x.contiguous(memory_format=torch.channels_last)
    return (x, targets) if more is None else more(x, targets, rng)


def _moved(batch: Batch, recipe: Recipe, rng: torch.Generator) -> Batch:
    x, targets = batch
    if targets.dim() == 4:
        both, _ = _moved((torch.cat([x, targets], 1), targets.new_empty(0)), recipe, rng)
        return both[:, : x.shape[1]], both[:, x.shape[1] :]
    x = random_shift(x, recipe.shift, rng, recipe.border) if recipe.shift else x
    return (random_flip(x, rng) if recipe.flip else x), targets
