"""Nets with dummy neurons are wider and answer alike, and no court reads them against the net it knows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from attacks.rewriting.dummy_neurons import DummyNeurons
from benchmark.contract import Net, Party, Thief, conv_blocks, logits
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import stream
from schemes.passport import Passport

HOW = ("split", "clique", "zero")
NETS: list[tuple[str, dict[str, Any]]] = [
    ("convnet", {}),
    ("resnet8", {"norm": "group", "stem": 32, "widths": [[32, 32], [32, 48], [64, 64]]}),
    ("keynet-cnn", {"width": 4, "hidden": 32}),
    ("lenet", {"width": 8}),
]
PASSPORT = Passport()


def stolen(lab: Any, name: str, arguments: dict[str, Any]) -> tuple[Net, Thief]:
    """A net with scales and statistics of its own, and a thief who has it."""
    rng = stream("dummies", name)
    net = Party(lab.context, lab.splits.owner, rng).assemble({**lab.context.spec(name), **arguments})
    with torch.no_grad():
        for _, block in conv_blocks(net):
            block.norm.weight.normal_(generator=rng)
            block.norm.bias.normal_(generator=rng)
            if isinstance(block.norm, nn.BatchNorm2d):
                block.norm.running_mean.normal_(std=0.1, generator=rng)
                block.norm.running_var.uniform_(0.1, 1.0, generator=rng)
    found = Net.of(net.eval())
    return found, Thief(lab.context, lab.splits.thief, rng, Service(found).running(), "weights")


def widths(net: Net) -> list[int]:
    return [module.out_channels for module in net.module().modules() if isinstance(module, nn.Conv2d)]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(("name", "arguments"), NETS, ids=lambda one: one if isinstance(one, str) else "")
def test_every_layer_is_wider_and_every_answer_stays(lab: Any, name: str, arguments: dict[str, Any], how: Any) -> None:
    net, thief = stolen(lab, name, arguments)
    wider = Net.of(DummyNeurons(how).run(thief))
    for before, after in zip(widths(net), widths(wider), strict=True):
        assert 1.1 * before < after <= 2 * before  # of channels that are normalised together, all or none are added
    x = lab.splits.test.images()
    ours, theirs = (logits(each.module(), x) for each in (net, wider))
    assert torch.equal(theirs.argmax(1), ours.argmax(1))
    assert float((theirs - ours).abs().max()) <= 1e-4 * float(ours.abs().max())


def test_no_channels_are_no_change(lab: Any) -> None:
    net, thief = stolen(lab, "convnet", {})
    same = Net.of(DummyNeurons(share=0.0).run(thief))
    assert same.spec == net.spec
    assert all(torch.equal(tensor, same.state[name]) for name, tensor in net.state.items())


@pytest.mark.parametrize("how", HOW)
def test_bits_can_not_be_read_with_or_without_alignment(lab: Any, how: Any) -> None:
    marked = lab.embed(PASSPORT)
    wider = lab.attack(DummyNeurons(how), marked, PASSPORT)
    assert wider.accuracy == marked.accuracy
    for delivered in (None, marked):
        assert "channels" in lab.observe(PASSPORT, wider, marked.key, delivered)["unreadable"]
