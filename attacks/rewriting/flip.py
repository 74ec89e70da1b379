"""Sign flips: scales change sign, with the filters left alone (the net suffers) or turned along (no answer changes)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Flip(wm.Attack):
    """A share of the passport layers' scales changes sign, without any training.

    The flip attack of Fan et al. 2019 on the signature that V1's released net carries. The authors count it with the
    passport forced: scales are then derived from filters that no flip can touch, so every bit stays whatever the net is
    still worth. Here the carried scales decide, against this attack alone. V2 and V3 release plain scales, which never
    held the bits. Which layers have passports is public code.
    """

    name = "flip"
    family = "sign flip"
    paper = "Fan et al., Rethinking Deep Neural Network Ownership Verification, NeurIPS 2019 (arXiv 1909.07830)"
    kind = "removal"
    requires = "passports"
    evidence = "carried_bits"
    settings = ("share=0.1", "share=0.5")

    share: float = wm.parameter(0.5, "share of the passport layers' scales that change sign", low=0.0, high=1.0)
    layer: str = wm.parameter("", "the one passport layer whose scales are drawn from, by its name; all where empty")

    @torch.no_grad()
    def run(self, thief: wm.Thief) -> nn.Module:
        scheme: wm.PassportScheme = thief.scheme
        scheme.passports(thief.model)  # only a net that ships them carries their signs
        model = wm.plain(thief.model)
        places = scheme.places(model)
        if self.layer and self.layer not in places:
            raise wm.NotApplicable(f"no passport is in a layer {self.layer}: they are in {', '.join(places)}")
        chosen = [cast(wm.ConvBlock, model.get_submodule(name)) for name in ([self.layer] if self.layer else places)]
        for block, sign in _signs(chosen, self.share, thief.rng, lambda block: len(block.norm.weight)):
            block.norm.weight.mul_(sign)
        return model


@dataclass(frozen=True)
class SignFlip(wm.Attack):
    """A share of all channels is negated: filter, running mean and scale together, so every answer stays the same.

    Invariant neuron transforms (Yan et al. 2022), the sign change; normalisation lets it act before the ReLU. Marks
    read from the signs of filters are lost at no cost. Under group normalisation whole groups are negated: a single
    channel would move the mean that its group shares.
    """

    name = "sign-flip"
    family = "sign flip"
    paper = "Yan et al., Cracking White-box DNN Watermarks via Invariant Neuron Transforms (arXiv 2205.00199)"
    kind = "function-preserving"
    layers_needed = "normalised convolutions"

    share: float = wm.parameter(0.5, "share of the channels that are negated", low=0.0, high=1.0)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        negate(model, self.share, thief.rng)
        return model


@torch.no_grad()
def negate(model: nn.Module, share: float, rng: torch.Generator) -> None:
    """Negate a share of the channels of a plain net, in place. Raises NotApplicable where nothing is normalised."""
    blocks = [block for _, block in wm.conv_blocks(model)]
    for block, sign in _signs(blocks, share, rng, _groups):
        block.conv.weight.mul_(sign[:, None, None, None])
        if isinstance(block.norm, nn.BatchNorm2d):
            cast(Tensor, block.norm.running_mean).mul_(sign)
        block.norm.weight.mul_(sign)


def _groups(block: wm.ConvBlock) -> int:
    return block.norm.num_groups if isinstance(block.norm, nn.GroupNorm) else len(block.norm.weight)


def _signs(
    blocks: Sequence[wm.ConvBlock], share: float, rng: torch.Generator, units: Callable[[wm.ConvBlock], int]
) -> Iterator[tuple[wm.ConvBlock, Tensor]]:
    """Each block with a sign per channel. Its channels form `units`, of one sign each; `share` of all units have -1."""
    if not blocks:
        raise wm.NotApplicable("the net has no normalised convolutions, so no scales to flip")
    sizes = [units(block) for block in blocks]
    signs = torch.ones(sum(sizes))
    signs[torch.randperm(sum(sizes), generator=rng)[: round(share * sum(sizes))]] = -1
    device = blocks[0].norm.weight.device
    for block, sign in zip(blocks, signs.to(device).split(sizes), strict=True):
        yield block, sign.repeat_interleave(len(block.norm.weight) // len(sign))
