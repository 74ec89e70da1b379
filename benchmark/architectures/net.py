"""Nets at rest: rebuilt from a JSON spec and tensors, so that no stored file runs code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.architectures import convnets, image_to_image, resnets  # noqa: F401  # every builder is registered here
from benchmark.architectures.blocks import BUILDERS, Spec
from benchmark.architectures.plain_state import plain_state, unwrapped


def known(spec: Spec) -> bool:
    """Whether every builder that `spec` names, also for a net inside, is registered in this process."""
    inside = (value for value in spec.values() if isinstance(value, Mapping) and "builder" in value)
    return spec["builder"] in BUILDERS and all(map(known, inside))


def build(spec: Spec) -> nn.Module:
    """The module that `spec` describes, freshly initialised. Raises ValueError for an unknown builder."""
    if spec["builder"] not in BUILDERS:
        raise ValueError(f"no builder is called {spec['builder']!r}: known are {', '.join(sorted(BUILDERS))}")
    return BUILDERS[spec["builder"]](**{name: value for name, value in spec.items() if name != "builder"})


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
        """A new module in eval mode; each call gives its own copy."""
        module = build(self.spec)
        module.load_state_dict(dict(self.state))
        return module.to(device).eval()
