"""Rearranged nets answer alike, their weights are others, and aligned they are the nets they were."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from attacks.rewriting.rearrange import Rearrange
from benchmark.architectures.alignment import aligned
from benchmark.architectures.fusing import unfused
from benchmark.contract import Net, NotApplicable, Party, Thief, conv_blocks, logits
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import stream

HOW = ("all", "permute", "scale", "sign", "fold")
NETS: list[tuple[str, dict[str, Any]]] = [
    ("convnet", {}),
    ("convnet", {"norm": "group"}),
    ("resnet8", {}),
    ("resnet8", {"norm": "group", "stem": 32, "widths": [[32, 32], [32, 48], [64, 64]]}),
    ("resnet18", {"width": 8}),
    ("alexnet", {"width": 8}),
    ("keynet-cnn", {"width": 4, "hidden": 32}),
]


def used(lab: Any, name: str, arguments: dict[str, Any]) -> tuple[nn.Module, Thief]:
    """A net with scales of both signs and with statistics of its own, and a thief who has it."""
    rng = stream("rearranged", name)
    net = Party(lab.context, lab.splits.owner, rng).assemble({**lab.context.spec(name), **arguments})
    with torch.no_grad():
        for _, block in conv_blocks(net):
            block.norm.weight.normal_(generator=rng)
            block.norm.bias.normal_(generator=rng)
            if isinstance(block.norm, nn.BatchNorm2d):
                block.norm.running_mean.normal_(std=0.1, generator=rng)
                block.norm.running_var.uniform_(0.1, 1.0, generator=rng)
    service = Service(Net.of(net.eval()))
    return net, Thief(lab.context, lab.splits.thief, rng, service.running(), "weights")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(("name", "arguments"), NETS)
def test_every_answer_stays_and_alignment_finds_every_filter_again(
    lab: Any, name: str, arguments: dict[str, Any], how: Any
) -> None:
    net, thief = used(lab, name, arguments)
    if how == "fold" and arguments.get("norm") == "group":
        with pytest.raises(NotApplicable, match="only batch normalisation can be fused"):
            Rearrange(how).run(thief)
        return
    x = lab.splits.test.images()
    other = Net.of(Rearrange(how).run(thief)).module()
    theirs, ours = logits(other, x), logits(net, x)
    assert torch.equal(theirs.argmax(1), ours.argmax(1))
    assert float((theirs - ours).abs().max()) <= 1e-4 * float(ours.abs().max())

    def weights(model: nn.Module) -> dict[str, torch.Tensor]:
        return {name: tensor for name, tensor in model.state_dict().items() if "num_batches" not in name}

    found, again = weights(unfused(other)), aligned(unfused(other), net, lab.context.task.shape)
    assert not all(torch.allclose(found[name], tensor, atol=1e-3) for name, tensor in weights(net).items())
    for name, tensor in weights(net).items():
        torch.testing.assert_close(weights(again)[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    torch.testing.assert_close(logits(again, x), ours, rtol=1e-3, atol=1e-3)
