"""One net brought into the order, scale and signs of another of its architecture; nothing that it answers changes.

A channel's number, a positive factor between two layers, and the sign and length of a filter before its normalisation
are free: whoever has a net may change them. So what is read from weights is read after alignment, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.architectures.channel_groups import ChannelGroup, State, channel_groups
from benchmark.architectures.net import Net
from benchmark.identity import canonical

_ROUNDS = 10  # of matching, at most
_found: dict[tuple[str, tuple[int, ...]], list[ChannelGroup]] = {}  # by spec and shape, from which they follow


@torch.no_grad()
def aligned(
    model: nn.Module, reference: nn.Module, shape: Sequence[int], blind: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """A plain net that computes what `model` does on images (C, H, W) of `shape`, and is as near to `reference` as that
    allows. Looks at weights alone. Raises ValueError for nets of different shapes.

    blind: by convolution, a direction of its filters, (C_in, kH, kW), in which nothing is compared. A mark that is read
    in it draws no strange net towards itself.

    Weight matching (Ainsworth et al. 2023, ICLR, section 3.2) on cosines, since lengths are free: group by group, those
    channels become one that similar filters write and similar weights read, until nothing moves. Then filters before a
    normalisation have the length of the reference's and the sign that correlates with it; running statistics are the
    reference's, and scale and shift make up for both. What is written has the reference's strength, channel by channel.
    """
    spec = model.spec()  # type: ignore[operator]
    if spec != reference.spec():  # type: ignore[operator]
        raise ValueError("nets of different shapes can't be aligned")
    name = canonical(spec), tuple(shape)
    if name not in _found:
        _found[name] = channel_groups(reference, shape)
    matching = _Matching(model, reference, _found[name], blind or {})
    for _ in range(_ROUNDS):
        if not matching.improved():
            break
    return Net(spec, matching.state).module(next(model.parameters()).device)


class _Matching:
    """The state of a net on its way to the reference's, `goal`; both in float64 on the CPU."""

    def __init__(
        self, model: nn.Module, reference: nn.Module, groups: Sequence[ChannelGroup], blind: Mapping[str, Tensor]
    ) -> None:
        self.state, self.goal = _state(model), _state(reference)
        self.blind = {name: nn.functional.normalize(one.cpu().double().flatten(), dim=0) for name, one in blind.items()}
        self.groups = groups
        self.added = {name: norm.eps for name, norm in model.named_modules() if isinstance(norm, nn.BatchNorm2d)}
        # the layers that don't know yet in which order their inputs are, or their outputs
        self.reading = {name for group in groups for name in group.readers}
        self.writing = {layer for group in groups for layer, _ in group.writers}

    def improved(self) -> bool:
        """Match every group once, from the input to the output; whether any channel has moved, or been met first."""
        moved = bool(self.reading)
        for group in self.groups:
            order = _assigned(self._similarity(group), group.unit)
            moved |= bool((order != torch.arange(group.size)).any())
            group.reorder(self.state, order)
            self._settle(group)
            self.reading -= set(group.readers)
            self.writing -= {layer for layer, _ in group.writers}
        return moved

    def _similarity(self, group: ChannelGroup) -> Tensor:
        """How alike the reference's channels (rows) and the net's (columns) are, in what is known of them by now."""
        total = torch.zeros(group.size, group.size, dtype=torch.float64)
        for layer, norm in group.writers:
            if layer not in self.reading:
                cosines = _cosines(*(self._seen(each, layer).flatten(1) for each in (self.goal, self.state)))
                total += cosines.abs() if norm else cosines
        for layer in group.readers:
            if layer not in self.writing:
                weights = (self._seen(each, layer).unflatten(1, (group.size, -1)) for each in (self.goal, self.state))
                total += _cosines(*(weight.transpose(0, 1).flatten(1) for weight in weights))
        return total

    def _seen(self, state: State, layer: str) -> Tensor:
        """The weights of a layer as they are compared."""
        weight = state[f"{layer}.weight"]
        if layer not in self.blind:
            return weight
        filters, unseen = weight.flatten(1), self.blind[layer]
        return (filters - (filters @ unseen)[:, None] * unseen).view_as(weight)

    def _settle(self, group: ChannelGroup) -> None:
        """Give the filters of an ordered group the reference's signs and lengths, and what it writes its strength."""
        wanted, given = (torch.zeros(group.size, dtype=torch.float64) for _ in range(2))
        for layer, norm in group.writers:
            if layer in self.reading:
                continue
            if norm:
                self._turn(layer, norm, group.unit)
            for each, squares in ((self.goal, wanted), (self.state, given)):
                squares += self._strength(each, layer, norm)
        known = (wanted > 0) & (given > 0)
        group.rescale(self.state, torch.where(known, wanted / given, 1.0).sqrt())

    def _turn(self, layer: str, norm: str, unit: int) -> None:
        state, goal, weight, scale = self.state, self.goal, f"{layer}.weight", f"{norm}.weight"
        filters, theirs = (each[weight].unflatten(0, (-1, unit)).flatten(1) for each in (state, goal))
        length = theirs.norm(dim=1) / filters.norm(dim=1)
        length = torch.where(length.isfinite() & (length > 0), length, 1.0)
        correlation = (self._seen(state, layer) * self._seen(goal, layer)).unflatten(0, (-1, unit)).flatten(1).sum(1)
        sign = torch.where(correlation < 0, -1.0, 1.0)
        factor = (sign * length).repeat_interleave(unit)
        state[weight] = state[weight] * factor[:, None, None, None]
        if norm not in self.added:  # group normalisation measures the length itself
            state[scale] = state[scale] * sign.repeat_interleave(unit)
            return
        gain, shift = self._gain(state, norm) / factor, self._shift(state, norm)
        for leaf in ("running_mean", "running_var"):
            state[f"{norm}.{leaf}"] = goal[f"{norm}.{leaf}"]
        state[f"{norm}.bias"] = shift + goal[f"{norm}.running_mean"] * gain
        state[scale] = gain * (goal[f"{norm}.running_var"] + self.added[norm]).sqrt()

    def _gain(self, state: State, norm: str) -> Tensor:
        """By what batch normalisation multiplies each channel, (C,)."""
        return state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + self.added[norm]).sqrt()

    def _shift(self, state: State, norm: str) -> Tensor:
        """What batch normalisation adds to each channel, (C,)."""
        return state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * self._gain(state, norm)

    def _strength(self, state: State, layer: str, norm: str) -> Tensor:
        """The square of how strongly each channel is written, (C,): of gain and shift together."""
        length = state[f"{layer}.weight"].flatten(1).norm(dim=1)
        if norm not in self.added:  # its own, or that of group normalisation
            gain = state[f"{norm}.weight"] if norm else length
            shift = state.get(f"{norm or layer}.bias", torch.zeros_like(gain))
        else:
            gain, shift = self._gain(state, norm) * length, self._shift(state, norm)
        return gain.square() + shift.square()


def _state(model: nn.Module) -> State:
    return {name: one.detach().cpu().double() for name, one in model.state_dict().items()}


def _cosines(rows: Tensor, columns: Tensor) -> Tensor:
    """Cosines between the rows of two matrices (C, D), one against the other: (C, C)."""
    return nn.functional.normalize(rows, dim=1) @ nn.functional.normalize(columns, dim=1).T


def _assigned(similarity: Tensor, unit: int) -> Tensor:
    """Which column becomes which row, int64 (C,), so that the sum is largest and `unit` in a row stay together."""
    if unit == 1:
        return _best(similarity)[0]
    parts = similarity.unflatten(0, (-1, unit)).unflatten(2, (-1, unit)).transpose(1, 2)  # (C / unit, C / unit, ...)
    inside = [[_best(part) for part in row] for row in parts]
    totals = torch.tensor([[total for _, total in row] for row in inside], dtype=torch.float64)
    chosen, _ = _best(totals)
    return torch.cat([unit * there + inside[here][there][0] for here, there in enumerate(chosen.tolist())])


def _best(similarity: Tensor) -> tuple[Tensor, float]:
    from scipy.optimize import linear_sum_assignment  # not before a court reads weights

    rows, columns = linear_sum_assignment(similarity.numpy(), maximize=True)
    return torch.from_numpy(columns.astype(np.int64)), float(similarity[rows, columns].sum())
