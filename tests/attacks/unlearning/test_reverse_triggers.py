"""Reversed triggers: the class that a stamp was built in for is found, and what is cut or reset is what it works by."""

import pytest
import torch

from attacks.unlearning.reverse_triggers import Laundering, NeuralCleanse, Stamps, reversed_stamps
from benchmark.contract import Thief
from benchmark.data.splits import Data
from benchmark.protocol.objects import Running
from benchmark.protocol.parties import stream

TARGET = 3  # the class of a backdoor
CORNER = (slice(None), slice(None), slice(0, 3), slice(0, 3))  # its white square


@pytest.fixture(scope="module")
def stamped_net(lab):
    """A net trained to answer digits with a white corner with one class."""
    owner = lab.splits.owner
    x = owner.x.clone()
    x[CORNER] = 255
    with_square = Data(x, torch.full_like(owner.y, TARGET))
    party = Thief(lab.context, owner, stream("backdoor"), None, "none")
    return party.fit(party.build(), party.recipe(epochs=6), data=owner.joined(with_square))


def thief(lab, net):
    return Thief(lab.context, lab.splits.thief, stream("thief"), Running(net), "weights")


def square(x):
    x = x.clone()
    x[CORNER] = 1.0
    return x


def share(net, x, one=TARGET):
    net.eval()
    with torch.no_grad():
        return float((net(x).argmax(1) == one).float().mean())


def test_a_stamp_replaces_by_its_pattern_where_its_mask_says():
    mask, pattern = torch.zeros(2, 1, 1, 2, 2), torch.full((2, 1, 1, 2, 2), 0.5)
    mask[1, ..., 0, 0] = 1.0
    plain, stamped = Stamps(mask, pattern).on(torch.ones(3, 1, 2, 2))
    assert torch.equal(plain, torch.ones(3, 1, 2, 2))
    assert torch.equal(Stamps(mask, pattern).of(1, torch.ones(3, 1, 2, 2)), stamped)
    assert torch.equal(stamped[:, 0], torch.tensor([[0.5, 1.0], [1.0, 1.0]]).expand(3, 2, 2))


SIZES = (
    ((9.0, 10.0, 11.0, 1.0), [3]), ((9.0, 10.0, 11.0, 8.0), [3]), ((7.0, 9.9, 10.1, 10.2, 10.3, 13.0, 7.5, 13.5), [0]),
    ((1.0, 10.0, 11.0, 10.5, 9.5, 10.0, 1.5), [0, 6]),
)  # fmt: skip


@pytest.mark.parametrize(("sizes", "found"), SIZES)
def test_suspects_are_the_classes_with_far_smaller_stamps_or_else_the_smallest(sizes, found):
    mask = torch.tensor(sizes).view(-1, 1, 1, 1, 1)
    assert Stamps(mask, mask).suspects == found


def test_the_stamp_that_a_net_was_trained_on_is_found_for_its_class(lab, stamped_net):
    one = thief(lab, stamped_net)
    stamps = reversed_stamps(one, one.model, lab.splits.thief.images(), 60, 0.01)
    assert stamps.suspects == [TARGET]
    assert share(one.model, stamps.of(TARGET, lab.splits.test.images())) > 0.9
    assert (one.meter.steps, one.meter.samples) == (60, 60 * 120)


WAYS = (NeuralCleanse(), NeuralCleanse(mode="prune"), Laundering())


@pytest.mark.parametrize("attack", WAYS, ids=("unlearn", "prune", "laundering"))
def test_the_stamp_stops_working_and_the_task_stays(lab, stamped_net, attack):
    x, y = lab.splits.test.images(), lab.splits.test.y
    others = x[y != TARGET]
    assert share(stamped_net, square(others)) > 0.95
    one = thief(lab, stamped_net)
    cleaned = attack.run(one)
    assert share(cleaned, square(others)) < 0.2
    with torch.no_grad():
        assert (cleaned(x).argmax(1) == y).float().mean() > 0.94
