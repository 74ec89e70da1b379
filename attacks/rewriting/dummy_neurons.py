"""Neurons that change no answer: a court that reads weights finds more channels than the owner's net had."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm

LEAVES = ("weight", "bias", "running_mean", "running_var")
SPLIT = 0.1  # least share of its outgoing weights that a neuron keeps, and that its double gets


@dataclass(frozen=True)
class DummyNeurons(wm.Attack):
    """Channels are added to every layer, and every answer stays.

    Neural structural obfuscation (Yan et al. 2023). `zero`: random filters that nobody reads. `clique`: pairs of one
    random filter, read with opposite weights. `split`: a neuron becomes two with its filter, that share its outgoing
    weights between them at random. Channels that a skip connection adds get the same ones together, and under group
    normalisation whole groups are added, since another channel would move their mean. They lie between the old channels
    at random; chain `rearrange` to hide them from whoever looks for equal filters, as the authors do too. A court that
    compares with the delivered net, aligned or not, finds another shape and can read no weights: the paper's point. One
    that first takes out what is unread, cancels or is double would get the old net back (arXiv 2603.12679).
    """

    name = "dummy-neurons"
    family = "dummy neurons"
    kind = "function-preserving"
    paper = "Yan et al. 2023, USENIX Security (arXiv 2303.09732)"
    settings = ("how=split", "how=clique", "how=zero")

    how: Literal["zero", "clique", "split"] = wm.parameter(
        "split", "unread, cancelling in pairs, or halves of old ones"
    )
    share: float = wm.parameter(0.15, "channels added to every layer, as a share of those there", low=0.0, high=1.0)

    @torch.no_grad()
    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        groups = wm.channel_groups(model, thief.task.shape)
        if not groups:
            raise wm.NotApplicable("the net has no hidden channels, so none could be added to them")
        state = dict(model.state_dict())
        for group in groups:
            self._widen(group, state, thief.rng)
        units = {norm: group.unit for group in groups for _, norm in group.writers}
        return wm.reshaped(_refilled(model, state, units))

    def _widen(self, group: wm.ChannelGroup, state: dict[str, Tensor], rng: torch.Generator) -> None:
        """Add whole units of channels to a group, in all tensors of `state` that know it."""
        units, times = group.size // group.unit, 2 if self.how == "clique" else 1
        chosen = torch.randperm(units, generator=rng)[: math.ceil(self.share * units / times)]
        added = len(chosen) * times
        place = torch.full((units + added,), -1)
        place[torch.randperm(units + added, generator=rng)[:added]] = torch.arange(units, units + added)
        place[place < 0] = torch.arange(units)
        model, place = _channels(chosen.repeat(times), group.unit), _channels(place, group.unit)
        order = torch.cat([torch.arange(group.size), model])[place]  # of which old channel each one is made
        new = place >= group.size
        for layer, norm in group.writers:
            for name in (f"{each}.{leaf}" for each in (layer, norm) if each for leaf in LEAVES):
                if (tensor := state.get(name)) is None:
                    continue
                state[name] = tensor[order.to(tensor.device)]
                if name == f"{layer}.weight" and self.how != "split":
                    filters = torch.randn(len(model) // times, *tensor.shape[1:], generator=rng).to(tensor)
                    filters = filters.repeat(times, *[1] * (tensor.dim() - 1)) * tensor.std()
                    state[name][new.to(tensor.device)] = filters[place[new].to(tensor.device) - group.size]
        taken = SPLIT + (1 - 2 * SPLIT) * torch.rand(len(model), generator=rng)
        old, share = torch.ones(group.size), torch.zeros(len(model))
        if self.how == "split":
            old[model], share = 1 - taken, taken
        elif self.how == "clique":
            share = torch.tensor([1.0, -1.0]).repeat_interleave(len(model) // times)
        read = torch.cat([old, share])[place]
        for layer in group.readers:
            reads = state[f"{layer}.weight"].unflatten(1, (group.size, -1))
            wider = reads[:, order.to(reads.device)] * read.to(reads).view(1, -1, *[1] * (reads.dim() - 2))
            state[f"{layer}.weight"] = wider.flatten(1, 2)


def _channels(units: Tensor, unit: int) -> Tensor:
    """The index of every channel of `units`, each `unit` channels in a row."""
    return (units[:, None] * unit + torch.arange(unit)).flatten()


def _refilled(model: nn.Module, state: Mapping[str, Tensor], units: Mapping[str, int]) -> nn.Module:
    """`model` with the tensors of `state`, whose layers say how wide they are; `units` are those of normalisations."""
    for name, module in model.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.GroupNorm):
            continue
        for leaf in LEAVES:
            if (tensor := state.get(f"{name}.{leaf}")) is not None:
                setattr(module, leaf, nn.Parameter(tensor) if leaf in ("weight", "bias") else tensor)
        width = len(state[f"{name}.weight"])
        if isinstance(module, nn.Conv2d):
            module.out_channels, module.in_channels = module.weight.shape[:2]
        elif isinstance(module, nn.Linear):
            module.out_features, module.in_features = module.weight.shape
        elif isinstance(module, nn.BatchNorm2d):
            module.num_features = width
        else:
            module.num_channels, module.num_groups = width, width // units[name]
    return model
