"""Attention distillation: which layers, what a map is, and that without its weight it is fine-tuning."""

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


def test_the_student_comes_to_look_where_the_teacher_does(lab, monkeypatch):
    """Nearer to its teacher's maps than a student that is only fine-tuned."""
    host, x = lab.null(100), lab.splits.test.images()[:50]

    def gap(beta):
        nets = []
        fit = Thief.fit
        monkeypatch.setattr(
            Thief, "fit", lambda self, *given, **more: nets.append(fit(self, *given, **more)) or nets[-1]
        )
        lab.attack_afresh(Nad(beta=beta, lr=0.05, epochs=4), host)
        monkeypatch.setattr(Thief, "fit", fit)
        teacher, student = nets
        maps = [attention(net.blocks[0](net.normalise(x))) for net in (teacher, student)]
        return float(F.mse_loss(*maps))

    assert gap(1000.0) < gap(0.0) / 2
