"""Nets at rest: rebuilt from a JSON spec and tensors, so that no stored file runs code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.overrides import TorchFunctionMode

from benchmark.architectures import (  # noqa: F401  # every builder is registered here
    convnets,
    hosts,
    image_to_image,
    resnets,
    transformers,
)
from benchmark.architectures.blocks import BUILDERS, Spec
from benchmark.architectures.plain_state import plain_state, unwrapped
from benchmark.errors import NotApplicable


def known(spec: Spec) -> bool:
    """Whether every builder that `spec` names, also for a net inside, is registered in this process."""
    inside = (value for value in spec.values() if isinstance(value, Mapping) and "builder" in value)
    return isinstance(name := spec.get("builder"), str) and name in BUILDERS and all(map(known, inside))


def build(spec: Spec) -> nn.Module:
    """The module that `spec` describes, freshly initialised. Raises ValueError for an unknown builder."""
    if not known(spec):
        raise ValueError(f"no builder is called {spec.get('builder')!r}: known are {', '.join(sorted(BUILDERS))}")
    return BUILDERS[spec["builder"]](**{name: value for name, value in spec.items() if name != "builder"})


@contextmanager
def _no_larger_than(state: Mapping[str, Tensor]) -> Iterator[None]:
    """Stop a builder that registers far more than `state` can fill: a file may claim 10^9 blocks.

    A builder may make parts that it replaces, so four times as much is let pass. What is stopped was not initialised,
    so the largest layer takes neither time nor memory.
    """
    most = 4 * len(state) + 64, 4 * sum(tensor.numel() for tensor in state.values()) + 2**16
    made = [0, 0]

    def count(_: nn.Module, name: str, tensor: Tensor | None) -> None:
        if tensor is not None:
            made[:] = made[0] + 1, made[1] + tensor.numel()
            if made[0] > most[0] or made[1] > most[1]:
                raise ValueError(f"its spec describes a far larger net than its {len(state)} tensors fill")

    with ExitStack() as hooks:
        for register in (register_module_parameter_registration_hook, register_module_buffer_registration_hook):
            hooks.callback(register(count).remove)
        yield


class _Undrawn(TorchFunctionMode):
    """Sets to zero what a builder would draw for a parameter, since stored tensors take its place."""

    _draws = frozenset({nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.normal_, Tensor.uniform_, Tensor.normal_})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        drawn = (args or (kwargs.get("tensor"),))[0] if func in self._draws else None
        if not isinstance(drawn, nn.Parameter):
            return func(*args, **kwargs)
        with torch.no_grad():
            return drawn.zero_()


def reshaped(model: nn.Module) -> nn.Module:
    """`model`, whose layers were made narrower or wider, if its spec says how wide they are now.

    Raises NotApplicable where it can't, as that of a library's net, which is built in one shape.
    """
    with _Undrawn():
        built = build(model.spec()).state_dict()  # type: ignore[operator]
    state = model.state_dict()
    if odd := [name for name, tensor in state.items() if name not in built or built[name].shape != tensor.shape]:
        raise NotApplicable(f"the net is built in one shape, and could not be rebuilt with another {odd[0]}")
    return model


@dataclass(frozen=True)
class Net:
    """A network at rest: the spec of its builder and its tensors (contiguous, on the CPU)."""

    spec: Spec
    state: Mapping[str, Tensor]

    @classmethod
    def of(cls, module: nn.Module) -> Net:
        """Spec and tensors of `module`, as it computes with them.

        Raises TypeError when it has no `spec()`, or does what spec and tensors can't describe.
        """
        module = unwrapped(module)
        if not hasattr(module, "spec"):
            raise TypeError(f"{type(module).__name__} has no spec(): build it with a function under @builder")
        return cls(module.spec(), plain_state(module))  # type: ignore[operator]

    def module(self, device: torch.device | str = "cpu") -> nn.Module:
        """A new module in eval mode; each call gives its own copy.

        Raises ValueError where the spec describes a far larger net than the tensors are of.
        """
        with _no_larger_than(self.state), _Undrawn():
            module = build(self.spec)
        module.load_state_dict(dict(self.state))
        return module.to(device).eval()
