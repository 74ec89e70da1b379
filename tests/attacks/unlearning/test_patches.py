"""Patches: what is found, whose it is, and that unlearning it takes a stamped mark where plain training leaves it."""

import pytest
import torch

from attacks.finetune import Finetune
from attacks.repair.channels import writers
from attacks.unlearning.patches import Laundering, NeuralCleanse, Patches, reversed_patches, rise, stamped
from benchmark.contract import Thief
from benchmark.protocol.parties import stream
from schemes.content import Content

CONTENT = Content()


def thief(lab, exhibit):
    return Thief(lab.context, lab.splits.thief, stream("patches"), exhibit.service.running(), "weights")


def test_each_patch_takes_other_images_to_its_class_and_a_dear_one_is_smaller(lab):
    one = thief(lab, lab.embed(CONTENT))
    cheap, dear = (reversed_patches(one, one.model, one.annotated, 60, price) for price in (1.0, 30.0))
    x = lab.splits.test.images()[:100]
    goals = torch.arange(100) % 10
    assert (one.model(cheap.on(x, goals)).argmax(1) == goals).float().mean() > 0.9
    assert dear.mask.mean() < 0.8 * cheap.mask.mean()
    assert (one.meter.steps, one.meter.samples) == (120, 120 * 160)


def test_stamped_images_keep_their_labels_and_all_but_the_patch(lab):
    one = thief(lab, lab.embed(CONTENT))
    mask = torch.zeros(10, 1, 16, 16)
    mask[:, :, :4] = 1
    found = stamped(one, one.data, Patches(mask, torch.ones_like(mask)))
    assert torch.equal(found.y, one.data.y)
    assert (found.x[:, :, :4] == 255).all()
    assert torch.equal(found.x[:, :, 4:], one.data.x[:, :, 4:])


def test_the_channel_that_a_patch_wakes_rises_most(lab):
    net, x = lab.null(100).service.net.module(), lab.splits.test.images()[:20]
    with torch.no_grad():
        net.blocks[0].conv.weight[5] = 1.0  # brightness
        net.blocks[0].norm.running_mean[5] = 0.0
        net.blocks[0].norm.weight[5], net.blocks[0].norm.bias[5] = 10.0, 0.0
    ups = rise(net, x, (x + 0.5).clamp(0, 1))
    assert [len(one) for one in ups] == [len(net.get_submodule(name).weight) for name in writers(net)]
    assert int(ups[0].argmax()) == 5


@pytest.mark.parametrize("attack", [NeuralCleanse(), Laundering()], ids=lambda one: one.name)
def test_a_stamped_word_goes_where_plain_training_of_as_many_steps_leaves_it(lab, attack):
    marked = lab.embed(CONTENT)
    plain = Finetune(lr=0.01, epochs=20, schedule="cosine", data="bought")
    gone, left = (
        lab.total(lab.observe(CONTENT, lab.attack(one, marked, CONTENT), marked.key)) for one in (attack, plain)
    )
    assert gone < 30
    assert left > 80


def test_laundering_that_silences_nothing_is_neural_cleanse(lab):
    marked = lab.embed(CONTENT)
    how = {"steps": 10, "epochs": 1, "lr": 0.05}
    nets = [attack.run(thief(lab, marked)) for attack in (Laundering(threshold=1.0, **how), NeuralCleanse(**how))]
    one, other = (net.state_dict() for net in nets)
    assert all(torch.equal(one[name], other[name]) for name in other)
