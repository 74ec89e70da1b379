import pytest
import torch

from attacks.finetune import Finetune
from attacks.retraining.consolidation import WEIGHED, Refit, importance
from benchmark.contract import as_float
from benchmark.protocol.parties import stream


def test_without_the_spring_it_is_fine_tuning(thief):
    other = thief()
    importance(other.model, as_float(other.inputs[:WEIGHED]), other.rng)  # so that batches are drawn alike
    alone = Finetune(lr=0.05, epochs=2, schedule="cosine").run(other)
    assert all(map(torch.equal, Refit(lr=0.05, ewc=0.0, epochs=2).run(thief()).parameters(), alone.parameters()))


def test_weights_that_matter_are_held_and_others_are_not(lab, thief):
    before = list(thief().model.parameters())
    matter = importance(thief().model, lab.splits.thief.images()[:32], stream("importance"))

    def moved(ewc):
        after = Refit(lr=0.02, ewc=ewc, epochs=2).run(thief()).parameters()
        far = [(new - old).detach().square() for old, new in zip(before, after, strict=True)]
        heavy = sum(float((much * one).sum()) for much, one in zip(matter, far, strict=True))
        return heavy, sum(float(one.sum()) for one in far)

    (loose, all_loose), (held, all_held) = moved(0.0), moved(30.0)
    assert held < 0.5 * loose
    assert all_held > 0.5 * all_loose


def test_importance_is_at_most_one_and_follows_what_the_answer_hangs_on(lab, thief):
    net = thief().model
    with torch.no_grad():
        net.head.weight[:, :4] = 0  # nothing reads the first channel, of whose picture four parts are features
    measured = importance(net, lab.splits.test.images()[:16], stream("importance"))
    found = dict(zip(dict(net.named_parameters()), measured, strict=True))
    assert max(float(one.max()) for one in found.values()) == pytest.approx(1.0)
    assert min(float(one.min()) for one in found.values()) >= 0
    assert not found["blocks.2.conv.weight"][0].any()
    assert found["blocks.2.conv.weight"][1:].flatten(1).amax(1).gt(0).float().mean() > 0.5
