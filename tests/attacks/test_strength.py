"""More of the same costs more, and a chain is its steps, one by one."""

from itertools import pairwise

import pytest
import torch
from scipy.stats import binomtest

from attacks.finetune import Finetune
from attacks.prune import Prune, PruneRandom, PruneStructured
from attacks.quantize import Quantize
from attacks.rewriting.degrade import Degrade
from attacks.serving.jpeg import Jpeg
from attacks.serving.pixels import BitDepth, Noise, Smooth

SWEEPS = {
    "prune": [Prune(amount) for amount in (0.0, 0.3, 0.6, 0.9, 0.97)],
    "prune-random": [PruneRandom(amount) for amount in (0.0, 0.1, 0.3)],
    "prune-structured": [PruneStructured(amount) for amount in (0.1, 0.25, 0.5, 0.75)],
    "quantize": [Quantize(bits=bits) for bits in (8, 4, 3, 2)],
    "jpeg": [Jpeg(quality=quality) for quality in (95, 50, 10, 1)],
    "noise": [Noise(sigma=sigma) for sigma in (0.01, 0.1, 0.3, 1.0)],
    "smooth": [Smooth(sigma=sigma) for sigma in (0.3, 0.7, 1.5, 3.0)],
    "bit-depth": [BitDepth(levels=levels) for levels in (256, 10, 3, 2)],
    "degrade": [Degrade(loss=loss) for loss in (0.02, 0.05, 0.3)],
}
CHANCE = 1e-3  # that a pair of equally good models is told apart


def better(one, other):
    """The exact probability that as many of the images on which they differ are right under `one` by chance."""
    gained, lost = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
    return binomtest(gained, gained + lost, alternative="greater").pvalue if gained + lost else 1.0


@pytest.mark.parametrize("name", SWEEPS)
def test_the_stronger_an_attack_the_more_utility_it_costs(lab, name):
    host = lab.null(100)
    attacked = [lab.attack(attack, host) for attack in SWEEPS[name]]
    for weaker, stronger in pairwise(attacked):
        assert better(stronger, weaker) > CHANCE
    assert better(attacked[0], attacked[-1]) < CHANCE  # the sweep reaches as far as the loss


@pytest.mark.parametrize("then", [Prune(0.4), Finetune(epochs=1), Jpeg(quality=50)], ids=lambda one: one.name)
def test_a_chain_equals_its_steps_one_by_one(lab, then):
    """Of steps that buy no labels; those that do buy them of the stolen model: docs/decisions.md."""
    first, host = Finetune(mode="rtal", epochs=1), lab.null(100)
    at_once = lab.attack((first, then), host)
    by_steps = lab.attack(then, lab.attack(first, host))
    ours, theirs = at_once.service, by_steps.service
    assert ours.net.state.keys() == theirs.net.state.keys()
    assert all(torch.equal(tensor, theirs.net.state[name]) for name, tensor in ours.net.state.items())
    assert [one.spec for one in ours.filters] == [one.spec for one in theirs.filters]
    assert torch.equal(at_once.right, by_steps.right)
    assert not torch.equal(at_once.right, lab.attack(then, host).right)  # the first step is in it
