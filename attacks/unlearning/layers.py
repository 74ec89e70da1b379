"""What passes through the layers of a net while it answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Literal

from torch import Tensor, nn

from benchmark import contract as wm


@contextmanager
def watching(layers: Sequence[nn.Module], what: Literal["enters", "leaves"]) -> Iterator[list[Tensor]]:
    """What entered or left each of `layers`, in their order, at the last pass through the net."""
    found = [Tensor() for _ in layers]

    def keep(place: int, _: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        found[place] = given[0] if what == "enters" else made

    with ExitStack() as hooks:
        for place, layer in enumerate(layers):
            hooks.callback(layer.register_forward_hook(partial(keep, place)).remove)
        yield found


def filter_blocks(model: nn.Module) -> list[nn.Module]:
    """The ConvBlocks of `model`, from the input to the output; of a net without them the layers with its filters."""
    blocks: list[nn.Module] = [block for _, block in wm.conv_blocks(model)]
    return blocks or list(wm.filter_layers(model).values())
