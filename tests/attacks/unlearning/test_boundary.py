"""Pushed images: how far, under which labels, and what the training does without them."""

import pytest
import torch

from attacks.unlearning.boundary import Wrk
from benchmark.contract import Thief, plain
from benchmark.protocol.parties import stream
from schemes.adi import Adi

ADI = Adi()
HEAD = {"head.weight", "head.bias"}


def pushed(lab, attack):
    own = lab.splits.thief
    thief = Thief(lab.context, own, stream("wrk"), lab.embed(ADI).service.running(), "weights")
    return thief, attack.pushed(thief, plain(thief.model), own)


def nearest(own, images):
    """The image of `own` that each of `images` is nearest to, and the largest change of a pixel."""
    gaps = torch.cdist(images.flatten(1), own.images().flatten(1))
    index = gaps.argmin(1)
    return index, (images - own.images()[index]).abs().amax((1, 2, 3))


def test_blind_images_move_by_one_step_and_get_every_label_but_their_own(lab):
    thief, found = pushed(lab, Wrk(images=400, eps=0.125))
    index, moved = nearest(lab.splits.thief, found.images())
    assert len(found) == 400
    assert float(moved.max()) == pytest.approx(0.125, abs=1 / 255)
    assert not (found.y == lab.splits.thief.y[index]).any()
    assert set(found.y.tolist()) == set(range(10))
    assert (thief.meter.steps, thief.meter.samples) == (1, 400)


def test_the_published_images_are_nearly_binary_and_never_get_the_first_class(lab):
    _, found = pushed(lab, Wrk(variant="published", images=400))
    (mean,), (std,) = lab.context.task.mean, lab.context.task.std
    at_an_end = ((found.images() - mean).abs() < 0.01) | ((found.images() - mean - std).abs() < 0.01)
    assert at_an_end.float().mean() > 0.95
    assert set(found.y.tolist()) == set(range(1, 10))


def test_a_step_raises_the_class_it_is_toward(lab):
    """One step toward a class drawn at random changes most answers."""
    thief, found = pushed(lab, Wrk(images=400))
    index, _ = nearest(lab.splits.thief, found.images())
    answers = thief.model(found.images()).argmax(1)
    assert (answers != lab.splits.thief.y[index]).float().mean() > 0.5


def test_without_images_penalty_or_rate_only_the_head_is_drawn_anew(lab):
    host = lab.null(100)
    after = lab.attack(Wrk(images=0, alpha=0.0, lr=0.0, epochs=1), host).service.net.state
    changed = {name for name, tensor in host.service.net.state.items() if not torch.equal(tensor, after[name])}
    assert {name for name in changed if "running" not in name and "tracked" not in name} == HEAD
