"""Dehydration: what is drawn out of the net, which class it gives away, and that unlearning it is what removes."""

import pytest
import torch
from torch import nn

from attacks.unlearning.inversion import Dehydrate, halves, inverted, standing_out
from attacks.unlearning.layers import watching
from benchmark.contract import Thief
from benchmark.data.splits import Data
from benchmark.protocol.parties import stream
from schemes.adi import Adi

ADI = Adi()


def thief(lab, exhibit):
    return Thief(lab.context, lab.splits.thief, stream("dehydrate"), exhibit.service.running(), "weights")


def test_the_net_takes_what_is_drawn_out_of_it_for_its_labels(lab):
    one = thief(lab, lab.embed(ADI))
    drawn = inverted(one, one.model, 4, 20)
    assert torch.equal(drawn.y.bincount(), torch.full((10,), 4))
    answers = one.model(drawn.images()).softmax(1)
    assert (answers.argmax(1) == drawn.y).float().mean() > 0.9
    assert (one.meter.steps, one.meter.samples) == (20, 20 * 40)
    assert all(tensor.grad is None for tensor in one.model.parameters())


def test_inverted_images_keep_to_the_statistics_of_the_net(lab, monkeypatch):
    """They are nearer to what the net's batch normalisations expect than images drawn without that."""
    host = lab.null(100)

    def gap():
        one = thief(lab, host)
        norms = [layer for layer in one.model.modules() if isinstance(layer, nn.BatchNorm2d)]
        drawn = inverted(one, one.model, 4, 20)
        with watching(norms, "enters") as entering, torch.no_grad():
            one.model(drawn.images())
            return sum(
                float((z.mean((0, 2, 3)) - norm.running_mean).norm()) for norm, z in zip(norms, entering, strict=True)
            )

    held = gap()
    monkeypatch.setattr("attacks.unlearning.inversion.STATISTICS", 0.0)
    assert held < 0.8 * gap()


def test_unlearning_the_inverted_images_removes_what_the_same_training_without_it_leaves(lab):
    marked = lab.embed(ADI)

    def after(**changed):
        return lab.attack(Dehydrate(lr=0.02, **changed), marked, ADI)

    forgotten, kept = after(), after(weight=0.0)
    assert lab.total(lab.observe(ADI, forgotten, marked.key)) < 25  # P(Bin(100, 1/10) >= 25) = 1e-5
    assert lab.total(lab.observe(ADI, kept, marked.key)) > 80
    assert forgotten.accuracy > marked.accuracy - 0.02
    assert forgotten.cost.record()["labelled"] == 400


class Brightest(nn.Module):
    """Ten classes, each with a pixel of its own: the brightest wins. That of the first counts `favour` times."""

    def __init__(self, favour):
        super().__init__()
        self.head = nn.Linear(10, 10, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.diag(torch.tensor([favour, *[1.0] * 9])))

    def forward(self, x):
        return self.head(x.flatten(1))


def bright_pixels():
    """Ten images of each of ten classes, in ten greys that every class has in another order."""
    x = torch.zeros(10, 10, 10, dtype=torch.uint8)
    for one in range(10):
        x[one, :, one] = torch.arange(100, 200, 10).roll(one)
    return Data(x.view(-1, 1, 2, 5), torch.arange(10).repeat_interleave(10))


def test_the_class_that_wins_every_blend_stands_out_and_only_that_one():
    assert standing_out(Brightest(10.0), bright_pixels(), 10) == 0
    assert standing_out(Brightest(1.0), bright_pixels(), 10) is None


def test_the_lower_half_is_what_speaks_least_for_its_class():
    lower, upper = halves(Brightest(1.0), bright_pixels(), 10)
    for one in range(10):
        assert len(lower.x[lower.y == one]) == len(upper.x[upper.y == one]) == 5
        assert lower.x[lower.y == one].max() < upper.x[upper.y == one].amax((1, 2, 3)).min()


@pytest.mark.parametrize(("variant", "labelled", "learnt"), [("improved", 400, 400), ("data-free", 0, 20)])
def test_what_is_learnt_beside_half_of_the_inverted_images(lab, monkeypatch, variant, labelled, learnt):
    one, given = thief(lab, lab.embed(ADI)), []
    monkeypatch.setattr(one, "fit", lambda model, recipe, *, data, beside, step: given.append((data, *beside)) or model)
    Dehydrate(variant=variant, images=4, steps=5).run(one)
    ((known, forgotten),) = given
    assert (len(known), one.cost.labelled) == (learnt, labelled)
    answers = one.model(forgotten.x.float() / 255).argmax(1)
    assert (answers != forgotten.targets).float().mean() >= 0.5  # all of them, or those of one class's lower half
