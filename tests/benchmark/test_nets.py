"""Architectures of ConvBlocks: shapes, specs that rebuild, group normalisation, what attacks on channels need."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from attacks.flip import SignFlip
from attacks.prune import PruneStructured
from benchmark.contract import Net, Party, Thief, conv_blocks, logits
from benchmark.nets import build, default_groups
from benchmark.parties import stream
from benchmark.release import Service

SMALL: list[tuple[str, dict[str, Any]]] = [
    ("convnet", {}),
    ("resnet8", {}),
    ("convnet", {"norm": "group"}),
    ("resnet8", {"norm": "group", "stem": 32, "widths": [[32, 32], [32, 48], [64, 64]]}),
]


def stolen(lab: Any, name: str, arguments: dict[str, Any]) -> tuple[nn.Module, Thief]:
    """A net whose scales, shifts and statistics are not those of a fresh one, and a thief who has it."""
    rng = stream("nets", name)
    net = Party(lab.world, lab.splits.owner, rng).assemble({**lab.world.spec(name), **arguments})
    with torch.no_grad():
        for _, block in conv_blocks(net):
            for tensor in (block.norm.weight, block.norm.bias, getattr(block.norm, "running_mean", None)):
                if tensor is not None:
                    tensor.normal_(generator=rng)
    service = Service(Net.of(net.eval()))
    return net, Thief(lab.world, lab.splits.thief, rng, service.running(), "weights")


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_a_spec_rebuilds_the_net(lab: Any, name: str, arguments: dict[str, Any]) -> None:
    net, _ = stolen(lab, name, arguments)
    x = lab.splits.test.images()[:4]
    assert net(x).shape == (4, 10)
    assert build(net.spec()).spec() == net.spec()
    assert torch.equal(Net.of(net).module()(x), net(x))


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_negated_channels_change_no_answer(lab: Any, name: str, arguments: dict[str, Any]) -> None:
    net, thief = stolen(lab, name, arguments)
    x = lab.splits.test.images()[:20]
    flipped = SignFlip(share=0.5).run(thief)
    torch.testing.assert_close(logits(flipped, x), logits(net, x), rtol=1e-4, atol=1e-4)
    before, after = (torch.cat([b.norm.weight for _, b in conv_blocks(one)]) for one in (net, flipped))
    assert 0.2 < float((before * after < 0).float().mean()) < 0.8


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_a_net_with_fewer_channels_describes_itself(lab: Any, name: str, arguments: dict[str, Any]) -> None:
    net, thief = stolen(lab, name, arguments)
    cut = PruneStructured(0.25).run(thief)
    for (_, before), (_, after) in zip(conv_blocks(net), conv_blocks(cut), strict=True):
        assert after.conv.out_channels == int(0.75 * before.conv.out_channels)
    x = lab.splits.test.images()[:20]
    assert torch.equal(logits(Net.of(cut).module(), x), logits(cut, x))


def test_group_normalisation_takes_sixteen_channels_together_and_keeps_no_statistics(lab: Any) -> None:
    net, _ = stolen(lab, "convnet", {"norm": "group"})
    assert [block.norm.num_groups for _, block in conv_blocks(net)] == [1, 2, 4]
    assert not any("running" in name for name in net.state_dict())
    assert [default_groups(channels) for channels in (8, 16, 48, 56, 384)] == [1, 1, 3, 2, 24]
    with pytest.raises(ValueError, match="norm is batch or group, not 'layer'"):
        build(lab.world.spec("convnet") | {"norm": "layer"})
