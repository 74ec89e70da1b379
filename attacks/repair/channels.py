"""The channels of a net, silenced one by one: what every attack needs that looks for those of a mark."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from benchmark import contract as wm

PASSED_AT_ONCE = 512  # images whose way through every layer is held in memory
PASSING = 0.98  # share of the thief's images that a silenced net answers as before, at least


def writers(model: nn.Module) -> list[str]:
    """By name, what gives each channel of a plain net its scale and shift: the normalisation behind a convolution, or
    the layer with the filters itself where there is none. Channels are the rows of its `weight` and `bias`.
    """
    behind = normalised(model)
    return [behind.get(name, name) for name in wm.filter_layers(model)]


def normalised(model: nn.Module) -> dict[str, str]:
    """By convolution of a plain net, the normalisation behind it, by their names: the next layer, if it is as wide.

    Layers come in the order in which the net lists them: library nets have no blocks that say what belongs together.
    """
    layers = [(name, layer) for name, layer in model.named_modules() if not any(layer.children())]
    return {
        name: behind
        for (name, conv), (behind, norm) in pairwise(layers)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d | nn.GroupNorm)
        and norm.affine and len(norm.weight) == conv.out_channels
    }  # fmt: skip


@torch.no_grad()
def silenced(model: nn.Module, chosen: Mapping[str, Tensor], *, shifts: bool = True) -> nn.Module:
    """A copy in which the channels `chosen`, boolean (C,) by writer, have scale 0, and with `shifts` shift 0, too."""
    model = copy.deepcopy(model)
    for name, gone in chosen.items():
        writer = model.get_submodule(name)
        cast(Tensor, writer.weight)[gone] = 0
        if shifts and writer.bias is not None:
            cast(Tensor, writer.bias)[gone] = 0
    return model


def strongest(
    model: nn.Module, choices: Sequence[Mapping[str, Tensor]], x: Tensor, *, shifts: bool = True
) -> nn.Module:
    """The last of `choices`, silenced, at which images `x` are answered as before, but for a few; `model` if none is.

    One copy is made at a time: a hundred of a large net fill the memory.
    """
    before = wm.logits(model, x).argmax(1)
    cut = (silenced(model, chosen, shifts=shifts) for chosen in reversed(choices))
    return next((one for one in cut if (wm.logits(one, x).argmax(1) == before).float().mean() >= PASSING), model)
