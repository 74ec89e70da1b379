"""Which layers of a net share channels: whatever is done to one of them is done to all, and no answer changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.architectures.blocks import conv_blocks

State = dict[str, Tensor]  # of a net, by the dotted names of its tensors


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that several layers share, as those do that a skip connection adds: they have one order and one scale.

    size: how many. writers: the convolutions and linear layers whose outputs they are, each with its normalisation, ""
    for none; readers: the layers whose inputs they are; all by their dotted names, from the input to the output. A
    linear layer behind a flattened map reads as many inputs in a row of each channel. unit: how many channels a
    normalisation takes together, which stay side by side; 1 for batch normalisation and for none.
    """

    size: int
    unit: int
    writers: tuple[tuple[str, str], ...]
    readers: tuple[str, ...]

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
        """Multiply what is written by positive `factors` (size,), and what is read of it by their inverse."""
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


def channel_groups(model: nn.Module, shape: Sequence[int]) -> list[ChannelGroup]:
    """The groups of a plain net on images (C, H, W) of `shape`, but for its inputs and classes, in the order of their
    first writers. torch-pruning finds them, which follows the operators (Fang et al. 2023, CVPR).

    Raises ValueError where layers share only a part of their channels, or are normalised in groups of several sizes.
    """
    import torch_pruning  # takes its time to load, and few need it

    names = {module: name for name, module in model.named_modules()}
    place = list(names.values()).index
    normalised = {f"{name}.conv": block.norm for name, block in conv_blocks(model)}
    head = [module for module in names if isinstance(module, nn.Linear)][-1]
    with torch.enable_grad():  # the library traces layers through autograd
        image = torch.zeros(1, *shape, device=head.weight.device)
        graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=image)
    found = []
    for group in graph.get_all_groups(ignored_layers=[head], root_module_types=[nn.Conv2d, nn.Linear]):
        writers, readers = set[str](), set[str]()
        size = len(group[0].idxs)
        for dependency, indices in group:
            module = dependency.target.module
            if not isinstance(module, nn.Conv2d | nn.Linear):
                continue
            if list(indices) != list(range(len(indices))) or len(indices) % size:
                raise ValueError(f"the layer {names[module]} shares a part of its channels with others")
            reads = graph.is_in_channel_pruning_fn(dependency.handler)
            (readers if reads else writers).add(names[module])
        norms = [normalised[name] for name in writers if name in normalised]
        units = {size // norm.num_groups if isinstance(norm, nn.GroupNorm) else 1 for norm in norms} or {1}
        if len(units) > 1:
            raise ValueError(f"the channels of {min(writers)} are normalised in groups of several sizes")
        with_norms = [
            (name, names[normalised[name]] if name in normalised else "") for name in sorted(writers, key=place)
        ]
        found.append(ChannelGroup(size, units.pop(), tuple(with_norms), tuple(sorted(readers, key=place))))
    return sorted(found, key=lambda group: place(group.writers[0][0]))
