"""What a CUDA graph does, on a CPU: the operators of one step, repeated on the same memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

_ASKING = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default, torch.ops.aten.equal.default}


class Tape(TorchDispatchMode):
    """Records the operators of a step, forward, backward and update; `replay` carries them out again.

    As in a CUDA graph, every operator writes where it wrote when it was recorded, whatever Python computed is a
    constant, and so is what was drawn on the host. Whoever asks for a value while recording gets a RuntimeError.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _ASKING:
            raise RuntimeError(f"{func} waits for the device")
        given = tree_map_only(Tensor, Tensor.detach, (args, kwargs))  # the same memory in its present shape
        found = func(*args, **kwargs)
        if not any(isinstance(one, torch.Generator) for one in tree_leaves(given)):
            self._calls.append((func, *given, [one.detach() for one in _tensors(found)]))
        return found

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, places in self._calls:
            for place, fresh in zip(places, _tensors(func(*args, **kwargs)), strict=True):
                if place.untyped_storage().data_ptr() != fresh.untyped_storage().data_ptr():
                    place.copy_(fresh)


def _tensors(found: Any) -> list[Tensor]:
    return [one for one in tree_leaves(found) if isinstance(one, Tensor)]


def taped(run: Callable[[], object], side: torch.cuda.Stream | None) -> Callable[[], None]:
    """In place of `benchmark.training.capture.recorded`."""
    with Tape() as tape:
        run()
    return tape.replay
