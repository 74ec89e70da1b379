"""Nets of other libraries as the benchmark's own: what goes in and comes out, and that a spec rebuilds them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn

from benchmark.architectures.blocks import head
from benchmark.architectures.catalogue import architecture_spec, file_net, read_architecture
from benchmark.architectures.channel_groups import channel_groups
from benchmark.architectures.hosts import LibraryNet, maker_net
from benchmark.architectures.net import Net, build
from benchmark.data.tasks import find_task
from benchmark.errors import BenchError, NotApplicable
from benchmark.protocol.parties import TaskContext
from benchmark.training.recipe import Recipe

NETS = (
    "torchvision:resnet18",
    "torchvision:mobilenet_v3_small",
    "torchvision:squeezenet1_1",
    "torchvision:shufflenet_v2_x0_5",
)
TIMM = ("timm:test_vit", "timm:test_resnet")
needs_timm = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
EACH = [*NETS, *(pytest.param(name, marks=needs_timm) for name in TIMM)]


def context(architecture: str, task: str = "cifar10") -> TaskContext:
    recipe = Recipe(epochs=1, lr=0.01, batch=8, weight_decay=0.0, shift=0, flip=False)
    return TaskContext(find_task(task), architecture, recipe, torch.device("cpu"))


@pytest.mark.parametrize("architecture", EACH)
def test_a_library_net_is_rebuilt_from_its_spec_and_tensors(architecture: str) -> None:
    torch.manual_seed(0)
    model = build(context(architecture).spec()).eval()
    images = torch.rand(2, 3, 32, 32)
    again = Net.of(model).module()
    assert model(images).shape == (2, 10)
    assert torch.equal(model(images), again(images))
    assert Net.of(again).spec == Net.of(model).spec


def test_the_answers_are_the_librarys_own_on_normalised_images() -> None:
    model = build(context("torchvision:resnet18").spec()).eval()
    plain = torchvision.models.resnet18(num_classes=10).eval()
    plain.load_state_dict(maker_net(model).state_dict(), strict=True)
    images = torch.rand(2, 3, 32, 32)
    shown = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    normalised = torchvision.transforms.functional.normalize(images, shown.mean, shown.std)
    assert torch.allclose(model(images), plain(normalised), atol=1e-5)


@needs_timm
def test_timm_says_the_normalisation_of_each_net() -> None:
    import timm

    model = build(context("timm:test_vit").spec())
    shown = timm.create_model("test_vit").pretrained_cfg
    assert isinstance(model, LibraryNet)
    assert model.spec()["mean"] == pytest.approx(shown["mean"])
    assert model.spec()["std"] == pytest.approx(shown["std"])


def test_grey_images_fill_three_channels() -> None:
    model = build(context("torchvision:mobilenet_v3_small", "mnist").spec()).eval()
    grey = torch.rand(2, 1, 28, 28)
    assert torch.equal(model(grey), model(grey.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("asked", [head, lambda model: channel_groups(model, (3, 32, 32))])
def test_what_needs_a_linear_layer_is_not_applicable_without_one(asked: Callable[[nn.Module], object]) -> None:
    model = build(context("torchvision:squeezenet1_1").spec())
    with pytest.raises(NotApplicable, match="the net has no linear layer"):
        asked(model)


def test_a_spec_from_outside_fetches_nothing() -> None:
    for spec in ({"builder": "timm", "name": "hf-hub:someone/net"}, {"builder": "torchvision", "name": "fcn_resnet50"}):
        if spec["builder"] == "torchvision" or importlib.util.find_spec("timm"):
            with pytest.raises(ValueError, match="has no net"):
                build({**spec, "classes": 2, "size": 32})


@pytest.mark.parametrize("number", [0, -1, 80_000, 10**30, 32.0, "32", [32, 32], True, None])
def test_a_spec_from_outside_takes_no_memory_by_its_numbers(number: object) -> None:
    spec = {"builder": "torchvision", "name": "vit_b_16", "classes": 2, "size": 32}
    for what, said in (("size", "1 to 1024 pixels a side"), ("classes", "1 to 65536 classes")):
        with pytest.raises(ValueError, match=said):
            Net({**spec, what: number}, {}).module()


def test_the_names_of_hosts_are_read() -> None:
    assert read_architecture("timm:vit_tiny_patch16_224") == ("timm", {"name": "vit_tiny_patch16_224"})
    assert architecture_spec("torchvision:resnet18") == {"builder": "torchvision", "name": "resnet18"}
    found = file_net("file:/a/b c/net.py:build")
    assert found is not None
    assert (found.path, found.function, found.code) == ("/a/b c/net.py", "build", "")
    for wrong, said in (
        ("file:net.py", "names no function"),
        ("timm:", "names no net"),
        ("hub:net", "no architecture"),
    ):
        with pytest.raises(BenchError, match=said):
            read_architecture(wrong)


def test_a_house_net_keeps_its_own_names() -> None:
    model = build(context("convnet").spec())
    assert isinstance(model, nn.Module)
    assert maker_net(model) is model
