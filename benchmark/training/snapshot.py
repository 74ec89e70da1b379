"""What a step of training changes, kept so that it can be put back after steps that only warm up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook


class Snapshot:
    """Everything that a step changes, as it was before: of every net that it calls and every optimiser that it steps.

    So a discriminator with an optimiser of its own, or the statistics of a second branch, need not be declared.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}  # a tensor and its value, by the tensor's identity
        self._modules: dict[nn.Module, None] = {}  # in the order of their first call
        self._optimisers: dict[int, Optimizer] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch one step, from before its first change on."""
        hooks = register_module_forward_pre_hook(self._called), register_optimizer_step_pre_hook(self._stepping)
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @property
    def nets(self) -> list[nn.Module]:
        """The nets that the step called, without the parts of others among them and single layers."""
        parts = {part for module in self._modules for part in module.modules() if part is not module}
        return [module for module in self._modules if module not in parts and any(module.children())]

    @torch.no_grad()
    def restore(self) -> None:
        """Put everything back in place. The state of an optimiser that had none is zero, which is how it begins."""
        for tensor, value in self._kept.values():
            tensor.copy_(value)
        for optimiser in self._optimisers.values():
            for tensor in _state(optimiser):
                if id(tensor) not in self._kept:
                    tensor.zero_()

    def _called(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._modules[module] = None
        self._keep(chain(module.parameters(recurse=False), module.buffers(recurse=False)))

    def _stepping(self, optimiser: Optimizer, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if self._optimisers.setdefault(id(optimiser), optimiser) is optimiser:
            self._keep(chain(_state(optimiser), *(group["params"] for group in optimiser.param_groups)))

    @torch.no_grad()
    def _keep(self, tensors: Iterator[Tensor]) -> None:
        for tensor in tensors:
            if tensor.is_leaf and id(tensor) not in self._kept:  # what is computed is no state
                self._kept[id(tensor)] = tensor, tensor.detach().clone()


def _state(optimiser: Optimizer) -> Iterator[Tensor]:
    return (value for state in optimiser.state.values() for value in state.values() if isinstance(value, Tensor))
