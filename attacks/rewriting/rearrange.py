"""The same function in other weights: channels in another order, scale and sign, and normalisation fused away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from attacks.rewriting.flip import negate
from benchmark import contract as wm

EXPONENT = 3  # of two, at most: such factors round nothing


@dataclass(frozen=True)
class Rearrange(wm.Attack):
    """Every answer stays, and no filter stays where it was or as it was.

    Invariant neuron transforms (Yan et al. 2022): channels are permuted; what a layer writes is multiplied by a
    positive factor and what reads it divided by it, filters are multiplied before their normalisation, and half of the
    channels change sign there. `fold` is what every export does: torch's own fusion takes the normalisation into the
    filters, with its scales and their signs. `all` is everything that the net allows; of a library's net, whose layers
    stand in no ConvBlock, channels are permuted and scaled, and nothing else. Channels that a skip connection adds move
    together, and those that group normalisation takes together stay so; it can't be fused. Of a transformer the hidden
    units of its perceptrons change their order, and nothing else: behind a GELU neither sign nor scale is free, and
    what attention leaves free this thief does not use.
    """

    name = "rearrange"
    family = "rearrangement"
    paper = "Yan et al., Cracking White-box DNN Watermarks via Invariant Neuron Transforms (arXiv 2205.00199)"
    kind = "function-preserving"
    settings = ("", "how=permute", "how=scale", "how=fold")

    how: Literal["all", "permute", "scale", "sign", "fold"] = wm.parameter("all", "what is done to the channels")

    @torch.no_grad()
    def run(self, thief: wm.Thief) -> nn.Module:
        model, rng = wm.plain(thief.model), thief.rng
        blocks = [block for _, block in wm.conv_blocks(model)]
        state = dict(model.state_dict())
        groups = wm.channel_groups(model, thief.task.shape)
        if self.how == "scale" and not (blocks or any(group.scales for group in groups)):
            raise wm.NotApplicable("no factor passes from one layer of the net to the next: nothing can be scaled")
        if not groups and (self.how == "permute" or (self.how == "all" and not blocks)):
            raise wm.NotApplicable("the net has no hidden channels that could be rearranged")
        for group in groups:
            order, factors = _order(group, rng), _factors(group.size, -EXPONENT, rng)
            if self.how in ("all", "permute"):
                group.reorder(state, order)
            if self.how in ("all", "scale"):
                group.rescale(state, factors)
        model.load_state_dict(state)
        for norm, conv in ((block.norm, block.conv) for block in blocks if self.how in ("all", "scale")):
            if isinstance(norm, nn.BatchNorm2d):  # another would add its own small number to a larger variance
                _lengthen(conv, norm, _factors(norm.num_features, 0, rng))
        if self.how == "sign" or (self.how == "all" and blocks):
            negate(model, 0.5, rng)
        fusible = any(isinstance(block.norm, nn.BatchNorm2d) for block in blocks)
        if self.how == "fold" or (self.how == "all" and fusible):
            return wm.fused(model)
        return model


def _order(group: wm.ChannelGroup, rng: torch.Generator) -> Tensor:
    """A random order of its channels, int64 (size,), in which those of one unit stay together."""
    units = torch.randperm(group.size // group.unit, generator=rng)
    inside = torch.stack([torch.randperm(group.unit, generator=rng) for _ in units])
    return (units[:, None] * group.unit + inside).flatten()


def _factors(count: int, least: int, rng: torch.Generator) -> Tensor:
    return 2.0 ** torch.randint(least, EXPONENT + 1, (count,), generator=rng)


def _lengthen(conv: nn.Conv2d, norm: nn.BatchNorm2d, factors: Tensor) -> None:
    """Multiply filters by `factors` (C_out,) of at least 1, which their normalisation takes back."""
    factors = factors.to(conv.weight.device)
    conv.weight.mul_(factors[:, None, None, None])
    cast(Tensor, norm.running_mean).mul_(factors)
    variance = cast(Tensor, norm.running_var)
    variance.copy_(factors.square() * (variance + norm.eps) - norm.eps)
