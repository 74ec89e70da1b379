import torch

from attacks.control import NoAttack, Scratch
from benchmark.contract import Thief
from benchmark.protocol.parties import stream
from schemes.adi import Adi

ADI = Adi()


def test_no_attack_leaves_the_release_as_it_is(lab):
    marked = lab.embed(ADI)
    left = lab.attack(NoAttack(), marked, ADI)
    for name, tensor in marked.service.net.state.items():
        assert torch.equal(left.service.net.state[name], tensor)
    assert left.service.filters == ()
    assert set(left.cost.record().values()) == {0}
    assert lab.observe(ADI, left, marked.key) == lab.observe(ADI, marked)


def test_scratch_needs_no_model_and_learns_the_task_without_the_mark(lab):
    own = lab.attack(Scratch(), None)
    assert own.accuracy > 0.95
    assert lab.total(lab.observe(ADI, own, lab.embed(ADI).key)) < 25  # P(Bin(100, 1/10) >= 25) = 1e-5
    assert own.cost.record() | {"operations": 0} == {
        "operations": 0,
        "labelled": 400,
        "unlabelled": 0,
        "queries": 0,
        "steps": 150,
        "samples": 150 * 64,
    }


def test_fewer_images_make_more_epochs_not_fewer_steps(lab):
    few = lab.splits.thief.take(torch.arange(128))
    thief = Thief(lab.context, few, stream("scratch"), None, "labels")
    Scratch().run(thief)
    assert thief.cost.record()["steps"] == 150
    assert thief.cost.record()["labelled"] == 128
