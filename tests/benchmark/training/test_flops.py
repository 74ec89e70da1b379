"""Counted work: equal to torch's own counter, zero for surgery, and part of every cost."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from attacks.control import NoAttack
from attacks.copies.extraction import Extract
from attacks.finetune import Finetune
from attacks.prune import Prune
from benchmark.architectures.blocks import head
from benchmark.architectures.net import build
from benchmark.training.flops import Meter, counted
from schemes.adi import Adi

ADI = Adi(n=40, k=16, epochs=2)


def torchs_count(work) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


def ours(work) -> int:
    meter = Meter()
    with counted(meter):
        work()
    return meter.operations


def net(builder: str) -> nn.Module:
    return build({"builder": builder, "classes": 10, "mean": [0.3], "std": [0.35]})


@pytest.mark.parametrize("builder", ["convnet", "resnet8"])
@pytest.mark.parametrize("trained", ["all", "head", "nothing"])
def test_a_step_counts_what_torch_counts(builder: str, trained: str) -> None:
    model, x, y = net(builder), torch.rand(4, 1, 16, 16), torch.zeros(4, dtype=torch.long)
    if trained != "all":
        model.requires_grad_(False)
    if trained == "head":
        head(model).requires_grad_(True)

    def step() -> None:
        loss = F.cross_entropy(model(x), y)
        if loss.requires_grad:
            loss.backward()

    assert ours(step) == torchs_count(step) > 0


@pytest.mark.parametrize("layer", [
    nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ConvTranspose2d(4, 6, 3, stride=2), nn.Linear(9, 5), nn.Conv1d(4, 2, 5),
])  # fmt: skip
def test_every_kind_of_layer(layer: nn.Module) -> None:
    shape = {nn.Linear: (3, 9), nn.Conv1d: (3, 4, 11)}.get(type(layer), (3, 4, 9, 9))
    x = torch.rand(shape, requires_grad=True)
    assert ours(lambda: layer(x).sum().backward()) == torchs_count(lambda: layer(x).sum().backward()) > 0


def test_groups_divide_the_work_backward_too() -> None:
    """torch's counter forgets the groups in the gradient of the weights."""
    layer, x = nn.Conv2d(4, 6, 3, groups=2), torch.rand(1, 4, 5, 5, requires_grad=True)
    assert ours(lambda: layer(x).sum().backward()) == 3 * (6 * 3 * 3) * 2 * 9


def test_counting_ends_with_its_block() -> None:
    meter, layer = Meter(), nn.Linear(2, 2)
    with pytest.raises(ValueError, match="stop"), counted(meter):
        raise ValueError("stop")
    layer(torch.rand(1, 2))
    assert meter.operations == 0


def test_surgery_is_free_and_training_is_not(lab) -> None:
    null = lab.null(100)
    free = lab.attack(Prune(amount=0.3), null).cost.record()
    assert free["operations"] == 0
    assert lab.attack(NoAttack(), null).cost.record()["operations"] == 0
    whole = lab.attack(Finetune(epochs=2), null).cost.record()
    assert whole["operations"] == whole["samples"] // 64 * ours(lambda: net("convnet")(torch.rand(64, 1, 16, 16)))


def test_queries_count_one_forward_pass(lab) -> None:
    cost = lab.attack(Extract(epochs=1), lab.null(100)).cost.record()
    one = ours(lambda: net("convnet").requires_grad_(False)(torch.rand(1, 1, 16, 16)))
    step = ours(lambda: net("convnet")(torch.rand(64, 1, 16, 16)))
    assert cost["queries"] == 400
    assert cost["operations"] == 400 * one + cost["steps"] * step


def test_an_owners_work_is_counted_too(lab) -> None:
    owner = lab.owner(ADI)
    from benchmark.protocol.parties import stream
    from benchmark.protocol.steps import embed

    embed(ADI, owner, stream("key"))
    assert (
        owner.meter.operations > owner.meter.samples * 1.2e6
    )  # a forward pass takes 1.25 M/2 multiply-adds, both gradients twice as much less the input's
