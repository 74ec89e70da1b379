"""Architectures of ConvBlocks: shapes, specs that rebuild, group normalisation, what attacks on channels need."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from attacks.prune import PruneStructured
from attacks.rewriting.flip import SignFlip
from benchmark.architectures.blocks import channels_last, default_groups
from benchmark.architectures.catalogue import ARCHITECTURES, architecture_spec, read_architecture
from benchmark.architectures.net import build
from benchmark.contract import Net, NotApplicable, Party, Thief, conv_blocks, entering, logits
from benchmark.errors import BenchError
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import stream

NORMALISED: list[tuple[str, dict[str, Any]]] = [
    ("convnet", {}),
    ("convnet", {"norm": "group"}),
    ("resnet8", {}),
    ("resnet8", {"norm": "group", "stem": 32, "widths": [[32, 32], [32, 48], [64, 64]]}),
    ("keynet-cnn", {"width": 4, "hidden": 32}),
    ("alexnet", {"width": 8}),
    ("alexnet", {"width": 16, "norm": "group"}),
    ("vgg16", {"width": 8}),
    ("resnet18", {"width": 8}),
    ("resnet18", {"width": 32, "norm": "group", "stem": "imagenet"}),
    ("wide-resnet", {"depth": 10, "width": 1}),
    ("wide-resnet", {"depth": 16, "width": 2, "norm": "group"}),
]
CONVOLUTIONAL = [
    *NORMALISED, ("lenet", {"width": 4}), ("rose-cnn", {"width": 4, "hidden": [16]}), ("rose-vgg", {"width": 4}),
]  # fmt: skip
ALL = [*CONVOLUTIONAL, ("vit", {"width": 16, "depth": 2})]


def stolen(lab: Any, name: str, arguments: dict[str, Any]) -> tuple[nn.Module, Thief]:
    """A net whose scales, shifts and statistics are not those of a fresh one, and a thief who has it."""
    rng = stream("nets", name)
    net = Party(lab.context, lab.splits.owner, rng).assemble({**lab.context.spec(name), **arguments})
    with torch.no_grad():
        for _, block in conv_blocks(net):
            for tensor in (block.norm.weight, block.norm.bias, getattr(block.norm, "running_mean", None)):
                if tensor is not None:
                    tensor.normal_(generator=rng)
    service = Service(Net.of(net.eval()))
    return net, Thief(lab.context, lab.splits.thief, rng, service.running(), "weights")


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_a_spec_rebuilds_the_net(lab: Any, name: str, arguments: dict[str, Any]) -> None:
    net, _ = stolen(lab, name, arguments)
    x = lab.splits.test.images()[:4]
    assert net(x).shape == (4, 10)
    assert build(net.spec()).spec() == net.spec()
    drawn = torch.get_rng_state()
    assert torch.equal(Net.of(net).module()(x), net(x))
    assert torch.equal(torch.get_rng_state(), drawn)  # no weight is drawn that a stored one replaces


@pytest.mark.parametrize(("name", "arguments"), NORMALISED)
def test_negated_channels_change_no_answer(lab: Any, name: str, arguments: dict[str, Any]) -> None:
    net, thief = stolen(lab, name, arguments)
    x = lab.splits.test.images()[:20]
    flipped = SignFlip(share=0.5).run(thief)
    torch.testing.assert_close(logits(flipped, x), logits(net, x), rtol=1e-4, atol=1e-4)
    before, after = (torch.cat([b.norm.weight for _, b in conv_blocks(one)]) for one in (net, flipped))
    assert 0.2 < float((before * after < 0).float().mean()) < 0.8


@pytest.mark.parametrize(("name", "arguments"), CONVOLUTIONAL)
def test_a_net_with_fewer_channels_describes_itself(lab: Any, name: str, arguments: dict[str, Any]) -> None:
    net, thief = stolen(lab, name, arguments)
    cut = PruneStructured(0.25).run(thief)
    for (_, before), (_, after) in zip(conv_blocks(net), conv_blocks(cut), strict=True):
        assert after.conv.out_channels == int(0.75 * before.conv.out_channels)
    assert cut.spec()["widths"] != net.spec()["widths"]
    x = lab.splits.test.images()[:20]
    assert torch.equal(logits(Net.of(cut).module(), x), logits(cut, x))


def test_a_transformer_loses_hidden_units_and_no_channel_of_its_tokens(lab: Any) -> None:
    net, thief = stolen(lab, "vit", {"width": 16, "depth": 2, "heads": 2})
    cut = PruneStructured(0.25).run(thief)
    assert cut.spec() == {**net.spec(), "hidden": [48, 48]}
    x = lab.splits.test.images()[:20]
    assert torch.equal(logits(Net.of(cut).module(), x), logits(cut, x))


@pytest.mark.parametrize("arguments", [{"width": 6, "heads": 2}, {"width": 16, "heads": 3}])
def test_a_transformer_of_a_width_that_nothing_divides_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a multiple of 4 and of its heads"):
        build({"builder": "vit", "classes": 10, "mean": [0.5], "std": [0.2], **arguments})


def test_a_transformer_takes_images_of_any_size_and_tells_places_apart() -> None:
    net = build({"builder": "vit", "classes": 10, "mean": [0.5], "std": [0.2], "width": 16, "depth": 1}).eval()
    assert net(torch.rand(2, 1, 28, 20)).shape == (2, 10)
    x = torch.rand(2, 1, 16, 16)
    assert not torch.allclose(net(x.roll(4, 3)), net(x))  # the same patches, elsewhere


def test_group_normalisation_takes_sixteen_channels_together_and_keeps_no_statistics(lab: Any) -> None:
    net, _ = stolen(lab, "convnet", {"norm": "group"})
    assert [block.norm.num_groups for _, block in conv_blocks(net)] == [1, 2, 4]
    assert not any("running" in name for name in net.state_dict())
    assert [default_groups(channels) for channels in (8, 16, 48, 56, 384)] == [1, 1, 3, 2, 24]
    with pytest.raises(ValueError, match="norm is batch or group, not 'layer'"):
        build(lab.context.spec("convnet") | {"norm": "layer"})


@pytest.mark.parametrize(
    ("written", "millions", "passports", "bits"),
    [
        ("resnet18", 11.17, 5, 2560),
        ("resnet18(stem=imagenet)", 11.18, 5, 2560),
        ("alexnet", 2.49, 3, 896),
        ("vgg16", 14.72, 3, 1536),
        ("wide-resnet", 36.5, 2, 1280),
        ("keynet-cnn", 12.93, 1, 64),
    ],
)
def test_full_sizes_are_the_papers(written: str, millions: float, passports: int, bits: int) -> None:
    with torch.device("meta"):
        net = build({**architecture_spec(written), "classes": 10, "mean": [0.5] * 3, "std": [0.2] * 3})
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
    assert sum(block.conv.out_channels for _, block in list(conv_blocks(net))[-passports:]) == bits


def test_every_architecture_takes_what_is_declared_and_means_its_defaults(lab: Any) -> None:
    for one in ARCHITECTURES.values():
        written = lab.context.spec(one.name) | {argument.name: argument.default for argument in one.arguments}
        assert build(lab.context.spec(one.name)).spec() == build(written).spec()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("resnet81", "no architecture is called 'resnet81': did you mean resnet8 or resnet18"),
        ("nothing", "no architecture is called 'nothing': there are alexnet, "),
        ("vgg16(depth=3)", "architecture vgg16 has no argument 'depth': it takes width, norm"),
        ("vgg16(width=0)", "architecture vgg16: width must be at least 1, not 0"),
        ("vgg16(norm=layer)", "architecture vgg16: norm is one of batch, group, not 'layer'"),
        ("vgg16(width)", "write each parameter as name=value, not 'width'"),
    ],
)
def test_a_wrong_architecture_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(BenchError, match=re.escape(sentence)):
        read_architecture(text)


def test_a_net_without_normalisation_has_nothing_to_flip(lab: Any) -> None:
    _, thief = stolen(lab, "lenet", {"width": 4})
    with pytest.raises(NotApplicable, match="no normalised convolutions"):
        SignFlip().run(thief)


def test_whoever_looks_into_a_net_keeps_no_graph_and_who_lays_images_out_does(lab: Any) -> None:
    net, images = build(lab.context.spec()), torch.rand(2, *lab.context.task.shape, requires_grad=True)
    (entered,) = entering(net, ["head"], images)
    assert not entered.requires_grad
    assert entered.is_contiguous()
    assert channels_last(images).requires_grad
