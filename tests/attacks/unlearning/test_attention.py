"""Attention distillation: which layers, what a map is, and the loss, and that without its weight it is fine-tuning."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attacks.unlearning.attention import Nad, attention, thirds
from benchmark.contract import Thief
from benchmark.protocol.parties import stream


def test_a_map_is_where_a_layer_is_active_whatever_its_size_and_sign():
    channels = torch.zeros(1, 3, 2, 2)
    channels[0, :, 0, 1] = torch.tensor([1.0, -2.0, 2.0])
    assert torch.allclose(attention(channels), torch.tensor([[0.0, 1.0, 0.0, 0.0]]))
    assert torch.allclose(attention(-5 * channels), attention(channels))


def test_layers_are_the_ends_of_the_thirds():
    layers = [nn.Identity() for _ in range(7)]
    assert [layers.index(one) for one in thirds(layers)] == [2, 4, 6]
    assert thirds(layers[:1]) == [layers[0]] * 3


def test_without_weight_it_fine_tunes_and_nothing_else(lab):
    host = lab.null(100)
    thief = Thief(lab.context, lab.splits.thief, stream(0, "thief", "nad", "digits"), host.service.running(), "weights")
    for epochs in (1, 2):  # a teacher, whose draws come first, and the student
        tuned = thief.fit(host.service.net.module(), thief.recipe(lr=0.01, epochs=epochs), data=thief.data)
    after = lab.attack(Nad(beta=0.0, lr=0.01, epochs=2), host).service.net.state
    assert all(torch.equal(tensor, after[name]) for name, tensor in tuned.state_dict().items())


def test_the_loss_is_the_distance_of_three_maps_of_the_student_from_its_teachers(lab, monkeypatch):
    """The maps are those behind the three blocks; the first counts half."""
    x, y = lab.splits.thief.images()[:20], lab.splits.thief.y[:20]
    thief = Thief(lab.context, lab.splits.thief, stream("nad"), lab.null(100).service.running(), "weights")
    nets, losses = [], []

    def fit(model, recipe, *, data, step=None):
        if step is None:  # a teacher that looks elsewhere
            with torch.no_grad():
                model.blocks[0].conv.weight.mul_(torch.linspace(-2, 2, 16).view(-1, 1, 1, 1))
        else:
            losses.append(float(step([(x, y)])))
        nets.append(model)
        return model

    def maps(net):
        z = net.blocks[0](net.normalise(x))
        yield attention(z)
        for block in net.blocks[1:]:
            z = block(F.max_pool2d(z, 2))
            yield attention(z)

    monkeypatch.setattr(thief, "fit", fit)
    Nad(beta=300.0).run(thief)
    with torch.no_grad():
        teacher, student = nets
        first, *later = (float(F.mse_loss(*pair)) for pair in zip(maps(student), maps(teacher), strict=True))
        expected = float(F.cross_entropy(student(x), y)) + 300.0 * (first / 2 + sum(later))
    assert len(later) == 2
    assert min(first, *later) > 1e-5
    assert losses == [pytest.approx(expected, rel=1e-4)]
