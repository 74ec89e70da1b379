"""Nets whose scale and shift are derived from passports, and the private branch that is trained beside a plain net."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

Pairs = Sequence[tuple[Tensor, Tensor]]  # (p_gamma, p_beta) per passport layer


class PassportBlock(wm.ConvBlock):
    """A ConvBlock whose normalisation has no scale and shift of its own: they follow from two passports.

    gamma_c = mean over H, W of (W * p_gamma)_c, and beta_c likewise from p_beta; both passports (1, C_in, H, W).
    """

    p_gamma: Tensor
    p_beta: Tensor

    def __init__(self, block: wm.ConvBlock, shape: Sequence[int]) -> None:
        conv, norm = block.conv, block.norm
        super().__init__(
            conv.in_channels, conv.out_channels, stride=conv.stride[0], kernel=conv.kernel_size[0], relu=block.relu
        )
        groups = norm.num_groups if isinstance(norm, nn.GroupNorm) else "batch"
        self.norm = wm.normalisation(groups, conv.out_channels, affine=False)
        self.register_buffer("p_gamma", torch.zeros(*shape))
        self.register_buffer("p_beta", torch.zeros(*shape))

    def derived(self) -> tuple[Tensor, Tensor]:
        """Scale and shift, (C_out,) each, in full precision: their signs are the signature."""
        with torch.autocast(self.p_gamma.device.type, enabled=False):
            gamma, beta = self.conv(torch.cat([self.p_gamma, self.p_beta])).mean((2, 3))
        return gamma, beta

    def direction(self) -> Tensor:
        """What a filter is multiplied with to give its scale, (C_in, kH, kW): the mean patch of the passport."""
        conv, kernel = self.conv, cast(tuple[int, int], self.conv.kernel_size)
        patches = F.unfold(self.p_gamma, kernel, padding=cast(int, conv.padding), stride=conv.stride)
        return patches.mean((0, 2)).unflatten(0, (-1, *kernel))

    def affine(self, normalised: Tensor) -> Tensor:
        gamma, beta = self.derived()
        return normalised * gamma[:, None, None] + beta[:, None, None]


@wm.builder("passport")
class PassportNet(nn.Module):
    """Any net made of ConvBlocks, some of them with passports.

    `host` is the spec of the plain net, `passports` gives the shape (1, C_in, H, W) of both passports of each
    named ConvBlock. Input and output are those of the host.
    """

    def __init__(self, host: wm.Spec, passports: Mapping[str, Sequence[int]]) -> None:
        super().__init__()
        self.host = wm.build(host)
        for name, shape in passports.items():
            self.host.set_submodule(name, PassportBlock(cast(wm.ConvBlock, self.host.get_submodule(name)), shape))

    @classmethod
    def of(cls, model: nn.Module, passports: Mapping[str, tuple[Tensor, Tensor]]) -> PassportNet:
        """The plain `model` with (p_gamma, p_beta) in the named blocks; its filters and statistics are kept."""
        net = cls(model.spec(), {name: list(pair[0].shape) for name, pair in passports.items()})  # type: ignore[operator]
        state = {f"host.{name}": tensor for name, tensor in model.state_dict().items()}
        for name, (p_gamma, p_beta) in passports.items():
            del state[f"host.{name}.norm.weight"], state[f"host.{name}.norm.bias"]
            state |= {f"host.{name}.p_gamma": p_gamma, f"host.{name}.p_beta": p_beta}
        net.load_state_dict(state)
        return net.to(next(model.parameters()).device).train(model.training)

    def blocks(self) -> Iterator[tuple[str, PassportBlock]]:
        """The blocks with passports, by their names in the host, from the input to the output."""
        return ((name, block) for name, block in wm.conv_blocks(self.host) if isinstance(block, PassportBlock))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.host(x))

    def spec(self) -> wm.Spec:
        shapes = {name: list(block.p_gamma.shape) for name, block in self.blocks()}
        return {"builder": "passport", "host": self.host.spec(), "passports": shapes}  # type: ignore[operator]

    @torch.no_grad()
    def folded(self) -> nn.Module:
        """The plain host that computes the same: scale and shift copied into the normalisation."""
        net = wm.build(self.host.spec())  # type: ignore[operator]
        state = self.host.state_dict()
        for name, block in self.blocks():
            del state[f"{name}.p_gamma"], state[f"{name}.p_beta"]
            state[f"{name}.norm.weight"], state[f"{name}.norm.bias"] = block.derived()
        net.load_state_dict(state)
        return net.to(next(self.parameters()).device).train(self.training)


def private_branch(public: nn.Module, passports: Mapping[str, tuple[Tensor, Tensor]]) -> PassportNet:
    """The plain net `public` with passports in the named blocks, for training both at once.

    Every filter, head, and scale or shift without a passport is one parameter of both; normalisation statistics are
    each branch's own (Zhang et al., NeurIPS 2020: shared ones fit neither branch).
    """
    private = PassportNet.of(public, passports)
    for name, shared in public.named_parameters():
        place, _, leaf = name.rpartition(".")
        module = private.host.get_submodule(place)
        if getattr(module, leaf) is not None:  # a passport block's normalisation has none
            setattr(module, leaf, shared)
    return private


def statistics(net: PassportNet) -> tuple[Tensor, ...]:
    """Running mean and variance, (2, C), of each batch normalisation that differs between the branches.

    Those behind the first passport layer, from the input to the output; what comes before is the plain net's.
    """
    return tuple(
        torch.stack([cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)]).detach().cpu()
        for norm in _own_norms(net)
    )


def set_statistics(net: PassportNet, given: Sequence[Tensor]) -> None:
    """Put what `statistics` gives into the net. Raises Unreadable when it doesn't fit."""
    norms = _own_norms(net)
    if [one.shape for one in given] != [(2, norm.num_features) for norm in norms]:
        has = f"{len(given)} normalisations, the net has {len(norms)} or others"
        raise wm.Unreadable(f"the key has statistics of {has}")
    for norm, (mean, variance) in zip(norms, given, strict=True):
        cast(Tensor, norm.running_mean).copy_(mean)
        cast(Tensor, norm.running_var).copy_(variance)


@torch.no_grad()
def measured(net: PassportNet, x: Tensor, batch: int = 512) -> tuple[Tensor, ...]:
    """The `statistics` that `net` has on images (N, C, H, W) in [0, 1]: the mean over batches."""
    net = copy.deepcopy(net).eval()
    for norm in _own_norms(net):
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    for part in x.chunk(-(-len(x) // batch)):
        net(part)
    return statistics(net)


def _own_norms(net: PassportNet) -> list[nn.BatchNorm2d]:
    blocks = [block for _, block in wm.conv_blocks(net.host)]
    first = next(index for index, block in enumerate(blocks) if isinstance(block, PassportBlock))
    return [block.norm for block in blocks[first + 1 :] if isinstance(block.norm, nn.BatchNorm2d)]
