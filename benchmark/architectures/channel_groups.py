"""Which layers of a net share channels: whatever is done to one of them is done to all, and no answer changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmark.architectures.blocks import head
from benchmark.errors import NotApplicable, message_of

State = dict[str, Tensor]  # of a net, by the dotted names of its tensors
_LAYERS = nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.GroupNorm  # what a group may go through
# Operators, as autograd calls them, that leave each channel in its place; behind the first kind it is multiplied by a
# positive factor where what came in was, behind the second it is not. The library's own move channels, but keep them.
_STRAIGHT = frozenset({
    "Add", "Addmm", "AdaptiveAvgPool2D", "Alias", "AvgPool2D", "Clone", "ConstantPadNd", "LeakyRelu",
    "MaxPool2DWithIndices", "Mean", "MkldnnMaxPool2D", "Mm", "NativeDropout", "Permute", "ReflectionPad2D", "Relu",
    "Squeeze", "Sum", "T", "Transpose", "Unsqueeze", "UpsampleNearest2D",
    "_Reshape", "_Slice", "_ConcatOp", "_SplitOp", "_OutputOp",
})  # fmt: skip
_BENT = frozenset({
    "Elu", "Gelu", "Hardsigmoid", "Hardswish", "Hardtanh", "Mish", "Mul", "Sigmoid", "Silu", "Softplus", "Tanh",
})  # fmt: skip
_OPERATOR = re.compile(r"_ElementWiseOp_\d+\((?P<autograd>\w+?)Backward\d*\)|(?P<own>_[A-Za-z]+)_\d+\(.*")


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that several layers share, as those do that a skip connection adds: they have one order and one scale.

    size: how many. writers: the convolutions and linear layers whose outputs they are, each with its normalisation, ""
    for none; readers: the layers whose inputs they are; all by their dotted names, from the input to the output. A
    linear layer behind a flattened map reads as many inputs in a row of each channel. unit: how many channels a
    normalisation takes together, which stay side by side; 1 for batch normalisation and for none. scales: whether a
    positive factor passes what lies between writers and readers, as it does a ReLU and no GELU.
    """

    size: int
    unit: int
    writers: tuple[tuple[str, str], ...]
    readers: tuple[str, ...]
    scales: bool = True

    def reorder(self, state: State, order: Tensor) -> None:
        """Put channel `order[i]`, int64 (size,), into place i, in all tensors of `state` that know it."""
        for name in (layer for both in self.writers for layer in both if layer):
            for leaf in ("weight", "bias", "running_mean", "running_var"):
                if (tensor := state.get(f"{name}.{leaf}")) is not None:
                    state[f"{name}.{leaf}"] = tensor[order.to(tensor.device)]
        for name in self.readers:
            weight = state[f"{name}.weight"]
            reads = weight.unflatten(1, (self.size, -1))
            state[f"{name}.weight"] = reads[:, order.to(weight.device)].reshape_as(weight)

    def rescale(self, state: State, factors: Tensor) -> None:
        """Multiply what is written by positive `factors` (size,), and what is read of it by their inverse.

        Does nothing where no factor passes.
        """
        if not self.scales:
            return
        for layer, norm in self.writers:
            for leaf in ("weight", "bias"):
                if (tensor := state.get(f"{norm or layer}.{leaf}")) is not None:
                    state[f"{norm or layer}.{leaf}"] = tensor * _along(factors, tensor, 0)
        for name in self.readers:
            weight = state[f"{name}.weight"]
            each = factors.repeat_interleave(weight.shape[1] // self.size)
            state[f"{name}.weight"] = weight / _along(each, weight, 1)


def _along(values: Tensor, tensor: Tensor, dim: int) -> Tensor:
    return values.to(tensor).view(*(-1 if at == dim else 1 for at in range(tensor.dim())))


class _Member(NamedTuple):
    """What takes part in a group: a layer by its name, or an operator, and the numbers of its channels there.

    reads: whether these are a layer's inputs. operator: one of `_STRAIGHT` or `_BENT`, or another; "" for a layer.
    behind: the layer whose outputs come in directly, "" for none.
    """

    module: nn.Module
    name: str
    reads: bool
    channels: list[int]
    operator: str
    behind: str


def _coupled(model: nn.Module, shape: Sequence[int]) -> Iterator[list[_Member]]:
    """The groups as torch-pruning finds them, which follows the operators (Fang et al. 2023, CVPR)."""
    import torch_pruning  # takes its time to load, and few need it

    names = {module: name for name, module in model.named_modules()}
    last = head(model)  # which keeps the classes in their order
    try:
        with torch.enable_grad():  # the library traces layers through autograd
            image = torch.zeros(1, *shape, device=last.weight.device)
            graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=image)
        groups = list(graph.get_all_groups(ignored_layers=[last], root_module_types=[nn.Conv2d, nn.Linear]))
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        # the library was not made for every operator
        why = f"{type(error).__name__}: {message_of(error, 120)}"
        raise NotApplicable(f"its channels can't be followed through the net ({why})") from error
    for group in groups:
        members = []
        for dependency, channels in group:
            module, reads = dependency.target.module, graph.is_in_channel_pruning_fn(dependency.handler)
            word = _OPERATOR.fullmatch(str(module))
            operator = "" if module in names else (word["autograd"] or word["own"]) if word else str(module)
            behind = [names.get(node.module, "") for node in dependency.target.inputs]
            members.append(
                _Member(module, names.get(module, ""), reads, list(channels), operator, behind[0] if behind else "")
            )
        yield members


def _tied(members: Sequence[_Member]) -> bool:
    """Whether the channels of a group stay together, as far as is known of what it goes through."""
    return not all(
        one.operator in _STRAIGHT | _BENT if one.operator else isinstance(one.module, _LAYERS) for one in members
    )


def channel_groups(model: nn.Module, shape: Sequence[int]) -> list[ChannelGroup]:
    """The groups of a plain net on images (C, H, W) of `shape`, but for its inputs and classes, in the order of their
    first writers.

    Left out are channels that are mixed otherwise than by layers, as in attention, or normalised across all of them, as
    in a transformer's stream of tokens: of a transformer the hidden units of its perceptrons are left. So are those of
    convolutions in groups, and those whose normalisation does not follow a layer directly.
    Raises NotApplicable where layers share only a part of their channels, or are normalised in groups of several sizes,
    or can't be followed, or the net has no linear layer for a head.
    """
    names = [name for name, _ in model.named_modules()]
    found = []
    for members in _coupled(model, shape):
        norms = [one for one in members if isinstance(one.module, nn.BatchNorm2d | nn.GroupNorm)]
        grouped = any(isinstance(one.module, nn.Conv2d) and one.module.groups > 1 for one in members)
        if _tied(members) or grouped or not all(one.behind for one in norms):
            continue
        normalised = {one.behind: one.name for one in norms}
        writers, readers = set[str](), set[str]()
        size = len(members[0].channels)
        for module, name, reads, channels, *_ in members:
            if not isinstance(module, nn.Conv2d | nn.Linear):
                continue
            if not size or channels != list(range(len(channels))) or len(channels) % size:
                raise NotApplicable(f"the layer {name} shares a part of its channels with others")
            (readers if reads else writers).add(name)
        units = {size // one.module.num_groups if isinstance(one.module, nn.GroupNorm) else 1 for one in norms} or {1}
        if len(units) > 1:
            raise NotApplicable(f"the channels of {min(writers)} are normalised in groups of several sizes")
        with_norms = [(name, normalised.get(name, "")) for name in sorted(writers, key=names.index)]
        scales = not any(one.operator in _BENT for one in members)
        found.append(
            ChannelGroup(size, units.pop(), tuple(with_norms), tuple(sorted(readers, key=names.index)), scales)
        )
    return sorted(found, key=lambda group: names.index(group.writers[0][0]))


def tied_layers(model: nn.Module, shape: Sequence[int]) -> list[nn.Module]:
    """The layers of a plain net whose outputs are in no group, since they stay together: see `channel_groups`."""
    return [
        one.module
        for members in _coupled(model, shape)
        if _tied(members)
        for one in members
        if isinstance(one.module, nn.Conv2d | nn.Linear) and not one.reads
    ]
