"""Filters become others, whatever key reads them, and the task stays."""

import torch
import torch.nn.functional as F

from attacks.adaptive.decorrelation import Decorrelate, with_mean
from attacks.retraining.shocks import WeightShifting
from schemes.uchida import Uchida


def likeness(one, other):
    """Mean squared cosine of the filters of two nets, and of the means of their layers."""
    pairs = [
        (with_mean(mine), with_mean(other.service.net.state[name]))
        for name, mine in one.service.net.state.items()
        if name.endswith("conv.weight")
    ]
    return torch.stack([F.cosine_similarity(*pair).square().mean() for pair in pairs]).mean()


def test_no_filter_is_what_it_was_and_no_bit_is_left(lab):
    scheme = Uchida()
    marked = lab.embed(scheme)
    found, shifted = (lab.attack(thief, marked, scheme) for thief in (Decorrelate(), WeightShifting()))
    assert likeness(found, marked) < 0.02 < likeness(shifted, marked)
    assert lab.total(lab.observe(scheme, found, marked.key)) < 90  # P(|Bin(128, 1/2) - 64| >= 26) = 5e-6
    assert found.accuracy > marked.accuracy - 0.05


def test_without_the_weight_filters_stay_nearer_to_what_they_were(lab):
    marked = lab.embed(Uchida())
    pushed, free = (lab.attack(Decorrelate(weight=weight, epochs=5), marked, Uchida()) for weight in (5.0, 0.0))
    assert likeness(pushed, marked) < 0.5 * likeness(free, marked)


def test_the_mean_of_a_layer_weighs_as_much_as_all_its_filters():
    rows = with_mean(torch.tensor([[1.0, 0.0], [0.0, 3.0]]).view(2, 2, 1, 1))
    assert rows.tolist() == [[1.0, 0.0], [0.0, 3.0], [0.5, 1.5], [0.5, 1.5]]
