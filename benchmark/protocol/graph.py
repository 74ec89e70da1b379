"""A net as the standard operators it computes with, and a built-in net that computes the same.

A court that is shown weights imports no code of a thief's. So a net of a builder that it doesn't know is traced where
it is served, and what is traced is fitted into an architecture that the court knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from benchmark.architectures.blocks import Spec, plain
from benchmark.architectures.net import build

# which arguments of an operator are its tensors, by position and by name
_TENSORS: Mapping[str, tuple[tuple[int, str], ...]] = {
    "conv2d": ((1, "weight"), (2, "bias")),
    "linear": ((1, "weight"), (2, "bias")),
    "batch_norm": ((1, "running_mean"), (2, "running_var"), (3, "weight"), (4, "bias")),
    "group_norm": ((2, "weight"), (3, "bias")),
    "layer_norm": ((2, "weight"), (3, "bias")),
}
_WEIGHT, _BIAS = -2, -1  # where the scale and the shift of a normalisation are among its tensors


@dataclass(frozen=True)
class Operator:
    """One use of conv2d, linear or a normalisation, and its tensors; None where it has none.

    A scale and a shift that follow a normalisation without its own count as its weight and bias.
    """

    name: str
    tensors: tuple[Tensor | None, ...]


class _Trace(TorchFunctionMode):
    """Writes down the operators that an input passes. Tensors that don't depend on it are taken as they come out."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.operators: list[Operator] = []
        self._passing = {id(x): x}  # kept alive, so that no id is used twice
        self._last: Tensor | None = None  # what the last normalisation gave, as far as it was only scaled and shifted

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        if any(id(one) in self._passing for one in given):
            name = function.__name__.strip("_")
            changed = [args[0]] if name == "setitem" else tree_leaves(result)
            self._passing |= {id(one): one for one in changed if isinstance(one, Tensor)}
            self._write(name, args, kwargs, given, result)
        return result

    def _write(self, name: str, args: Sequence[Any], kwargs: Any, given: Sequence[Tensor], result: Any) -> None:
        normalised, self._last = self._last, None
        if name in _TENSORS:
            used = (args[at] if at < len(args) else kwargs.get(called) for at, called in _TENSORS[name])
            self.operators.append(Operator(name, tuple(used)))
            self._last = result if name.endswith("norm") else None
        elif normalised is not None and any(one is normalised for one in given):
            constant = [one for one in given if one is not normalised]
            tensors = list(self.operators[-1].tensors)
            place = {"mul": _WEIGHT, "add": _BIAS}.get(name)
            if place is not None and len(constant) == 1 and tensors[place] is None:
                tensors[place] = constant[0].flatten()
                self.operators[-1] = Operator(self.operators[-1].name, tuple(tensors))
                self._last = result


@torch.no_grad()
def traced(model: nn.Module, shape: Sequence[int]) -> list[Operator]:
    """The standard operators that images (N, C, H, W) of `shape` pass in `model`, in the order of their use."""
    x = torch.full(tuple(shape), 0.5, device=next((one.device for one in model.state_dict().values()), None))
    with _Trace(x) as trace:
        model.eval()(x)
    return trace.operators


def fitted(operators: Sequence[Operator], spec: Spec, shape: Sequence[int]) -> nn.Module | None:
    """The net of `spec`, its passports folded away, with the tensors of `operators`; None where they don't fit.

    Its layers get the widths that the operators have. An operator that has no place in it is passed over.
    """
    model = plain(build(spec))
    uses = traced(model, shape)
    for same in (_same_shapes, _same_kernels):
        if (chosen := _matched(operators, uses, same)) is not None:
            break
    else:
        return None
    names = {id(tensor): name for name, tensor in model.state_dict(keep_vars=True).items()}
    found = {
        names[id(place)]: tensor
        for use, operator in zip(uses, chosen, strict=True)
        for place, tensor in zip(use.tensors, operator.tensors, strict=True)
        if id(place) in names and tensor is not None
    }
    for name, tensor in found.items():
        layer, _, leaf = name.rpartition(".")
        _put(model.get_submodule(layer), leaf, tensor)
    try:
        rebuilt = build(model.spec())  # type: ignore[operator]
        rebuilt.load_state_dict(model.state_dict())
    except (RuntimeError, ValueError, TypeError):  # shapes that no net of this architecture has together
        return None
    return rebuilt.eval()


def _put(layer: nn.Module, leaf: str, tensor: Tensor) -> None:
    """Exchange a tensor of a layer, which then says how wide it is."""
    kept = tensor.detach().float().cpu().clone()
    setattr(layer, leaf, nn.Parameter(kept) if leaf in ("weight", "bias") else kept)
    if isinstance(layer, nn.BatchNorm2d):
        layer.num_features = len(kept)
    elif isinstance(layer, nn.GroupNorm):
        layer.num_channels = len(kept)
    elif leaf == "weight" and isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = kept.shape[:2]
    elif leaf == "weight" and isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = kept.shape


def _same_shapes(one: Operator, other: Operator, first: int = 0) -> bool:
    """Whether both are one kind of operator, with tensors alike from their dimension `first` on."""

    def shapes(operator: Operator) -> list[torch.Size | None]:
        return [None if tensor is None else tensor.shape[first:] for tensor in operator.tensors]

    return one.name == other.name and shapes(one) == shapes(other)


_same_kernels = partial(_same_shapes, first=2)  # of any width


def _matched(
    operators: Sequence[Operator], uses: Sequence[Operator], same: Callable[[Operator, Operator], bool]
) -> list[Operator] | None:
    """For each of `uses` the next of `operators` that is the same, in order; None where one is missing."""
    rest = iter(operators)
    chosen = [next((one for one in rest if same(one, use)), None) for use in uses]
    return None if None in chosen else [one for one in chosen if one is not None]
