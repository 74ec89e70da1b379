"""Groups of channels, fused normalisation, and alignment: what has no other net to be compared with says so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from benchmark.architectures.alignment import aligned
from benchmark.architectures.channel_groups import ChannelGroup, channel_groups, tied_layers
from benchmark.architectures.fusing import fused, unfused
from benchmark.architectures.net import Net, build
from benchmark.contract import NotApplicable, conv_blocks, logits

SHAPE = (1, 16, 16)


def spec(builder: str, **arguments: Any) -> dict[str, Any]:
    return {"builder": builder, "classes": 10, "mean": [0.5], "std": [0.2], **arguments}


def net(builder: str, **arguments: Any) -> nn.Module:
    """A net in use: scales, shifts and statistics of its own."""
    model = build(spec(builder, **arguments)).eval()
    with torch.no_grad():
        for _, block in conv_blocks(model):
            nn.init.normal_(block.norm.weight)
            nn.init.normal_(block.norm.bias)
            if isinstance(block.norm, nn.BatchNorm2d):
                nn.init.uniform_(block.norm.running_var, 0.2, 2.0)  # type: ignore[arg-type]
    return model


def test_a_skip_connection_ties_all_that_it_adds_up() -> None:
    groups = channel_groups(net("resnet18", width=8), SHAPE)
    stem, inside = groups[:2]
    assert [layer for layer, _ in stem.writers] == ["stem.conv", "blocks.0.second.conv", "blocks.1.second.conv"]
    assert [norm for _, norm in stem.writers] == ["stem.norm", "blocks.0.second.norm", "blocks.1.second.norm"]
    assert stem.readers == tuple(f"blocks.{place}.conv" for place in ("0.first", "1.first", "2.first", "2.shortcut"))
    assert inside == ChannelGroup(8, 1, (("blocks.0.first.conv", "blocks.0.first.norm"),), ("blocks.0.second.conv",))
    assert sum(len(group.writers) for group in groups) == sum(
        isinstance(m, nn.Conv2d) for m in net("resnet18").modules()
    )


def test_group_normalisation_keeps_its_units_and_a_flattened_map_is_read_in_rows() -> None:
    group = channel_groups(net("convnet", norm="group"), SHAPE)[-1]
    assert (group.size, group.unit, group.readers) == (64, 16, ("head",))
    plain = channel_groups(net("rose-cnn", width=4, hidden=[16]), SHAPE)
    assert [(one.size, one.unit, one.writers, one.readers) for one in plain] == [
        (4, 1, (("convs.0", ""),), ("convs.1",)),
        (8, 1, (("convs.1", ""),), ("hidden.0",)),
        (16, 1, (("hidden.0", ""),), ("head",)),
    ]


def test_of_a_transformer_the_hidden_units_are_free_and_have_no_scale() -> None:
    model, x = net("vit", width=16, depth=2), torch.rand(8, *SHAPE)
    groups = channel_groups(model, SHAPE)
    assert groups == [
        ChannelGroup(64, 1, ((f"blocks.{place}.fc1", ""),), (f"blocks.{place}.fc2",), scales=False) for place in (0, 1)
    ]
    kept = [f"blocks.{place}.{layer}" for place in (0, 1) for layer in ("attn.qkv", "attn.proj", "fc2")]
    tied = tied_layers(model, SHAPE)
    assert {name for name, one in model.named_modules() if one in tied} == {"embed", *kept}
    state = dict(model.state_dict())
    for group in groups:
        group.reorder(state, torch.randperm(group.size))
        group.rescale(state, torch.full((group.size,), 2.0))
    turned = Net(model.spec(), state).module()  # type: ignore[operator]
    torch.testing.assert_close(logits(turned, x), logits(model, x))
    assert not torch.equal(state["blocks.0.fc1.weight"], model.state_dict()["blocks.0.fc1.weight"])
    for name, tensor in aligned(turned, model, SHAPE).state_dict().items():
        torch.testing.assert_close(tensor, model.state_dict()[name])


@pytest.mark.parametrize("name", ["convnet", "resnet8", "resnet18", "alexnet"])
def test_a_fused_net_describes_itself_and_gets_its_normalisation_back(name: str) -> None:
    model, x = net(name, **({"width": 8} if name in ("alexnet", "resnet18") else {})), torch.rand(8, *SHAPE)
    thin = Net.of(fused(model)).module()
    assert thin.spec() == {**model.spec(), "norm": "fused"}  # type: ignore[operator]
    assert not any(isinstance(part, nn.BatchNorm2d) for part in thin.modules())
    again = unfused(thin)
    assert again.spec() == model.spec()  # type: ignore[operator]
    assert unfused(model) is model
    for one in (thin, again):
        torch.testing.assert_close(logits(one, x), logits(model, x), rtol=1e-3, atol=1e-3)


def test_only_batch_normalisation_is_fused() -> None:
    for model in (net("convnet", norm="group"), net("lenet", width=4)):
        with pytest.raises(NotApplicable, match="only batch normalisation can be fused"):
            fused(model)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_alignment_to_a_strange_net_changes_no_answer_and_looks_more_like_it(norm: str) -> None:
    torch.manual_seed(0)
    model, reference, x = net("resnet8", norm=norm, stem=16), net("resnet8", norm=norm, stem=16), torch.rand(8, *SHAPE)
    turned = aligned(model, reference, SHAPE)
    torch.testing.assert_close(logits(turned, x), logits(model, x), rtol=1e-3, atol=1e-3)

    def alike(one: nn.Module) -> float:
        pairs = zip(conv_blocks(one), conv_blocks(reference), strict=True)
        return float(sum((a.conv.weight * b.conv.weight).sum() for (_, a), (_, b) in pairs))

    assert alike(turned) > alike(model) + 1
    assert torch.get_rng_state().equal((aligned(model, reference, SHAPE), torch.get_rng_state())[1])


def test_a_net_is_aligned_with_itself_and_with_no_other_shape() -> None:
    model = net("convnet")
    for name, tensor in aligned(model, model, SHAPE).state_dict().items():
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="different shapes"):
        aligned(net("convnet", widths=[8, 16, 32]), model, SHAPE)


def test_a_channel_that_nobody_writes_stays_finite() -> None:
    """Pruned filters have no direction, and silent channels no strength: what is left is aligned all the same."""
    model, x = net("convnet"), torch.rand(8, *SHAPE)
    with torch.no_grad():
        for _, block in conv_blocks(model):
            block.conv.weight[:4] = 0
            block.norm.weight[:2] = 0
            block.norm.bias[:1] = 0
    for one, other in ((model, net("convnet")), (net("convnet"), model), (model, model)):
        turned = aligned(one, other, SHAPE)
        assert all(bool(tensor.isfinite().all()) for tensor in turned.state_dict().values())
        torch.testing.assert_close(logits(turned, x), logits(one, x), rtol=1e-3, atol=1e-3)
