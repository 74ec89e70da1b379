"""A net at rest computes what the module did, whatever torch had put around it; or a sentence says what is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from benchmark.architectures.net import build
from benchmark.contract import Net, conv_blocks, logits


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


def net_of(lab: Any) -> nn.Module:
    torch.manual_seed(0)
    return build(lab.context.spec()).eval()


def masked(net: nn.Module) -> nn.Module:
    for _, block in conv_blocks(net):
        prune.l1_unstructured(block.conv, "weight", amount=0.5)
    prune.random_unstructured(net.head, "bias", amount=0.5)
    prune.ln_structured(net.head, "weight", amount=0.3, n=2, dim=0)
    prune.l1_unstructured(net.head, "weight", amount=0.3)  # a mask on a mask
    with torch.no_grad():
        net.head.weight_orig.add_(1.0)  # a step of training since the mask was laid on
    return net


def normed(norm: Callable[[nn.Module], nn.Module]) -> Callable[[nn.Module], nn.Module]:
    def wrap(net: nn.Module) -> nn.Module:
        norm(net.head)
        norm(next(conv_blocks(net))[1].conv)
        return net

    return wrap


def compiled_inside(net: nn.Module) -> nn.Module:
    net.head = torch.compile(net.head, backend="eager")
    return net


def odd_tensors(net: nn.Module) -> nn.Module:
    weight = net.head.weight.detach()
    net.head.weight = nn.Parameter(weight.t().contiguous().t())  # not contiguous
    net.head.bias = nn.Parameter(torch.zeros(1).expand(len(net.head.bias)))  # one number for all
    first = next(conv_blocks(net))[1].conv
    first.weight = nn.Parameter(first.weight.detach().to_sparse(), requires_grad=False)
    return net


PLAIN: dict[str, Callable[[nn.Module], nn.Module]] = {
    "as built": lambda net: net,
    "pruning masks": masked,
    "weight norm": normed(weight_norm),
    "weight norm, parametrized": normed(parametrizations.weight_norm),
    "spectral norm": normed(spectral_norm),
    "spectral norm, parametrized": normed(parametrizations.spectral_norm),
    "a parametrization of one's own": normed(
        lambda part: parametrize.register_parametrization(part, "weight", Doubled())
    ),
    "DataParallel": nn.DataParallel,
    "compiled": lambda net: torch.compile(net, backend="eager"),
    "compiled and spread": lambda net: torch.compile(nn.DataParallel(net), backend="eager"),
    "compiled inside": compiled_inside,
    "odd tensors": odd_tensors,
}


@pytest.mark.parametrize("how", PLAIN)
def test_what_is_kept_computes_the_same(lab: Any, how: str) -> None:
    net = PLAIN[how](net_of(lab)).eval()
    x = lab.splits.test.images()[:8]
    kept = Net.of(net)
    if how == "odd tensors":
        with torch.no_grad():
            first = next(conv_blocks(net))[1].conv
            first.weight = nn.Parameter(first.weight.to_dense())
    torch.testing.assert_close(logits(kept.module(), x), logits(net, x))
    assert kept.state.keys() == net_of(lab).state_dict().keys()
    assert all(one.is_contiguous() and one.layout == torch.strided for one in kept.state.values())
    assert len({one.data_ptr() for one in kept.state.values()}) == len(kept.state)


def test_a_net_that_goes_on_training_keeps_its_masks(lab: Any) -> None:
    net = masked(net_of(lab))
    Net.of(net)
    assert prune.is_pruned(net)
    assert "head.weight_orig" in net.state_dict()


def test_half_precision_and_quantised_tensors_are_kept_by_value(lab: Any) -> None:
    net = net_of(lab).half()
    weight = torch.quantize_per_tensor(net.head.weight.detach().float(), 0.1, 0, torch.qint8)
    net.head.weight = nn.Parameter(weight, requires_grad=False)
    made = Net.of(net).module()
    assert torch.equal(made.head.weight, weight.dequantize())
    assert made.head.bias.dtype == torch.float32
    assert torch.equal(made.head.bias, net.head.bias.float())


def hooked(net: nn.Module) -> nn.Module:
    net.head.register_forward_hook(lambda module, inputs, output: -output)
    return net


def patched(net: nn.Module) -> nn.Module:
    net.forward = lambda x: x
    return net


def quantised(net: nn.Module) -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(net, {nn.Linear})


def lazy(net: nn.Module) -> nn.Module:
    net.head = nn.LazyLinear(10)
    return net


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (hooked, "the Linear 'head' has a hook or another forward.*: remove it, or return"),
        (patched, "has a hook or another forward.*: remove it, or return"),
        (quantised, r"head\._packed_params.* is no tensor but a .*: return ordinary layers"),
        (lazy, "head.weight has no values yet: run the net once"),
        (lambda net: net.to("meta"), "has no values yet"),
    ],
)
def test_what_tensors_cannot_say_is_refused(lab: Any, change: Callable[[nn.Module], nn.Module], words: str) -> None:
    net = net_of(lab)
    spec = net.spec()
    changed = change(net)
    changed.spec = lambda: spec
    with pytest.raises(TypeError, match=words):
        Net.of(changed)
