"""What the attacks of this folder share: the stolen net, the images, and a rate that falls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from attacks.finetune import passes
from benchmark import contract as wm


def tuned(thief: wm.Thief, model: nn.Module, lr: float, epochs: int, **how: Any) -> nn.Module:
    """`model` trained on all of the thief's images, with labels bought where he has none.

    The rate falls from `lr` along a cosine. `how`: `step` and `augment` of `thief.fit`, or fields of the recipe.
    """
    fitting = {name: how.pop(name) for name in ("step", "augment") if name in how}
    recipe = thief.recipe(**{"lr": lr, "schedule": "cosine", **how})
    recipe = replace(recipe, epochs=passes(thief.annotated, recipe, epochs))
    return thief.fit(model, recipe, data=thief.annotated, **fitting)


@torch.no_grad()
def accuracy(model: nn.Module, data: wm.Data) -> float:
    """Share of the images that `model`, in eval mode, names as `data` does."""
    return float((wm.logits(model, data.images()).argmax(1) == data.y).float().mean())
