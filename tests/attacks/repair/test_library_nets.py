"""Attacks on nets of another library: what they see of it, and what can't be rebuilt in another shape."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attacks.prune import Prune, PruneStructured
from attacks.quantize import Quantize
from attacks.repair.channel_statistics import Bnp, Clp, sensitivity
from attacks.repair.channels import normalised, silenced, writers
from attacks.rewriting.dummy_neurons import DummyNeurons
from attacks.rewriting.merge import recalibrated
from attacks.rewriting.rearrange import Rearrange
from attacks.transfer import Transfer
from benchmark.architectures.net import Net, build
from benchmark.contract import Attack, Data, NotApplicable, Spec, Thief, builder, entering, logits
from benchmark.data.tasks import find_task
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import TaskContext, stream
from benchmark.training.recipe import Recipe

X = torch.randint(0, 256, (24, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


@builder("one layer")
class OneLayer(nn.Module):
    def __init__(self, classes: int, **_: Any) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 32 * 32, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))

    def spec(self) -> Spec:
        return {"builder": "one layer", "classes": self.head.out_features}


@cache
def net(name: str) -> Net:
    torch.manual_seed(5)
    model = build({"builder": "torchvision", "name": name, "classes": 10, "size": 32})
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # as if it had been trained
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.2, 0.8)
    return Net.of(model)


def thief(name: str, stolen: Net | None = None) -> Thief:
    recipe = Recipe(epochs=1, lr=0.01, batch=8, weight_decay=0.0, shift=0, flip=True)
    context = TaskContext(find_task("cifar10"), f"torchvision:{name}", recipe, torch.device("cpu"))
    images = Data(X, torch.arange(len(X)) % 10)
    return Thief(context, images, stream("library"), Service(stolen or net(name)).running(), "weights")


@pytest.mark.parametrize("attack", [PruneStructured(0.25), DummyNeurons()], ids=["prune-structured", "dummy-neurons"])
def test_a_net_that_its_library_builds_in_one_shape_is_given_no_other(attack: Attack) -> None:
    with pytest.raises(NotApplicable, match=r"built in one shape, and could not be rebuilt with another net\.conv1"):
        attack(thief("resnet18"))


@pytest.mark.parametrize(("name", "norms"), [("resnet18", 20), ("vgg11_bn", 8), ("mobilenet_v3_small", 34)])
def test_batch_normalisation_is_found_behind_each_convolution(name: str, norms: int) -> None:
    model = net(name).module()
    behind = normalised(model)
    assert len(behind) == norms == sum(isinstance(one, nn.BatchNorm2d) for one in model.modules())
    for convolution, norm in behind.items():
        assert model.get_submodule(convolution).out_channels == model.get_submodule(norm).num_features


def test_a_silenced_channel_of_a_library_net_sends_nothing() -> None:
    model = net("resnet18").module()
    first = torch.arange(64) == 7
    (after,) = entering(silenced(model, {"net.bn1": first}), ["net.layer1.0.conv1"], X.float() / 255)
    (before,) = entering(model, ["net.layer1.0.conv1"], X.float() / 255)
    assert before[:, 7].abs().max() > 0
    assert after[:, 7].abs().max() == 0


def test_a_channels_bound_counts_what_its_normalisation_multiplies_it_by() -> None:
    model = net("resnet18").module()
    norm, conv = model.get_submodule("net.bn1"), model.get_submodule("net.conv1")
    largest = torch.linalg.matrix_norm(conv.weight.flatten(2), ord=2) * norm.weight / (norm.running_var + 1e-5).sqrt()
    assert "net.bn1" in writers(model)
    assert torch.allclose(sensitivity(model)["net.bn1"], largest)


@pytest.mark.parametrize("attack", [Bnp(), Clp(u=1.0)], ids=["bnp", "clp"])
def test_channels_that_stand_out_are_silenced_in_a_library_net(attack: Attack) -> None:
    changed = attack(thief("resnet18")).model
    assert changed is not None
    scales = [changed.get_submodule(name).weight for name in writers(changed)]
    assert sum(int((scale == 0).sum()) for scale in scales) > 0


def test_activations_of_a_library_transformer_are_rounded() -> None:
    rounded = Quantize(bits=8, activations=True)(thief("vit_b_32")).model
    assert rounded is not None
    assert logits(rounded, X.float() / 255).isfinite().all()


def test_mirrored_images_do_not_blur_how_far_they_were_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = []
    monkeypatch.setattr(Thief, "fit", lambda self, model, recipe, **how: recipes.append(recipe))
    Transfer(epochs=1)(thief("resnet18"))
    assert [recipe.flip for recipe in recipes] == [False]


def test_statistics_of_normalisation_need_no_batch_of_one_image() -> None:
    model = recalibrated(net("resnet18").module(), torch.rand(513, 3, 32, 32))
    assert model.get_submodule("net.bn1").running_mean.isfinite().all()


@pytest.mark.parametrize(
    ("name", "attack", "said"),
    [
        ("squeezenet1_1", Prune(layers="dense"), "no layers of the kind dense"),
        ("squeezenet1_1", Rearrange(), "no linear layer"),
        ("shufflenet_v2_x0_5", Rearrange(), "its channels can't be followed"),
    ],
)
def test_what_a_library_net_lacks_is_said(name: str, attack: Attack, said: str) -> None:
    with pytest.raises(NotApplicable, match=said):
        attack(thief(name))


def test_a_net_of_one_layer_has_no_channels_to_hide_anything_in() -> None:
    for attack in (Rearrange("permute"), DummyNeurons()):
        with pytest.raises(NotApplicable, match="the net has no hidden channels"):
            attack(thief("resnet18", Net.of(OneLayer(10))))
