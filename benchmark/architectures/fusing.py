"""Batch normalisation fused into the convolution before it, as exports do, and given back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmark.architectures.blocks import FUSED, FusedBlock, Norms, Spec, conv_blocks, described_norms, plain
from benchmark.architectures.net import Net
from benchmark.errors import NotApplicable


@torch.no_grad()
def fused(model: nn.Module) -> nn.Module:
    """A plain net as torch's own fusion leaves it: convolutions with a bias, and no batch normalisation.

    Raises NotApplicable where the net has none, or another normalisation, which can't be fused.
    """
    if described_norms(model) != "batch":
        raise NotApplicable("only batch normalisation can be fused, behind every convolution of the net")
    state = dict(model.state_dict())
    for name, block in conv_blocks(model.eval()):
        both = fuse_conv_bn_eval(block.conv, cast(nn.BatchNorm2d, block.norm))
        state = {key: tensor for key, tensor in state.items() if not key.startswith(f"{name}.norm.")}
        state |= {f"{name}.conv.weight": both.weight, f"{name}.conv.bias": cast(nn.Parameter, both.bias)}
    return _rebuilt(model, {**model.spec(), "norm": FUSED}, state)  # type: ignore[operator]


@torch.no_grad()
def unfused(model: nn.Module) -> nn.Module:
    """A net that computes the same with batch normalisation behind every convolution; `model` itself where it has it.

    What was fused comes back with scale 1, the bias as its shift, and statistics that change nothing: how much of the
    filters was the normalisation's, and which of their signs, nobody can tell from them alone. Of a net that wraps such
    a one, and derives its parameters or rounds what enters them, it is the plain net.
    """
    if not any(isinstance(block, FusedBlock) for block in model.modules()):
        return model
    model = plain(model)
    blocks = [name for name, block in model.named_modules() if isinstance(block, FusedBlock)]
    norms: Norms = described_norms(model)
    norms = "batch" if norms == FUSED else ["batch" if norm == FUSED else norm for norm in norms]
    spec: Spec = {**model.spec(), "norm": norms}  # type: ignore[operator]
    state = dict(model.state_dict())
    for name in blocks:
        shift = state.pop(f"{name}.conv.bias")
        norm = nn.BatchNorm2d(len(shift))
        norm.bias.copy_(shift)
        cast(Tensor, norm.running_var).fill_(1 - norm.eps)
        state |= {f"{name}.norm.{leaf}": tensor for leaf, tensor in norm.state_dict().items()}
    return _rebuilt(model, spec, state)


def _rebuilt(model: nn.Module, spec: Spec, state: Mapping[str, Tensor]) -> nn.Module:
    return Net(spec, state).module(next(model.parameters()).device).train(model.training)
