"""At strength 0 an attack changes nothing, more of the same costs more, and a chain is its steps, one by one.

What an attack leaves alone at strength 0 the tests of other rooms hold for theirs.
"""

from itertools import pairwise
from typing import Any

import pytest
import torch
from scipy.stats import binomtest

from attacks.adaptive.decoys import TrainAndUnlearn, UnlearnCarriers
from attacks.finetune import Finetune
from attacks.overwrite import Overwrite
from attacks.prune import Prune, PruneRandom, PruneStructured
from attacks.quantize import Quantize
from attacks.repair.channel_statistics import Clp
from attacks.rewriting.degrade import Degrade
from attacks.rewriting.flip import Flip, SignFlip
from attacks.serving.jpeg import Jpeg
from attacks.serving.pixels import BitDepth, Noise, Smooth
from attacks.transfer import Transfer
from attacks.unlearning.inversion import Dehydrate
from benchmark.contract import plain
from schemes.adi import Adi
from schemes.keynet import KeyNet
from schemes.passport import Passport

ADI, KEYNET, PASSPORT = Adi(), KeyNet(), Passport()
NOTHING = (
    (ADI, Prune(amount=0.0)), (ADI, PruneRandom(amount=0.0)), (ADI, PruneStructured(amount=0.0)),
    (ADI, Clp(u=100.0)), (ADI, SignFlip(share=0.0)), (PASSPORT, Flip(share=0.0)),
    (ADI, Transfer(lr=0.0, epochs=1)), (ADI, Overwrite(lr=0.0, epochs=1)), (ADI, TrainAndUnlearn(lr=0.0, epochs=1)),
    (ADI, Dehydrate(lr=0.0, epochs=1, images=2, steps=1)), (KEYNET, UnlearnCarriers(lr=0.0, epochs=1, decoys=20)),
)  # fmt: skip

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


@pytest.mark.parametrize(("scheme", "attack"), NOTHING, ids=lambda one: one.name)
def test_at_strength_nothing_every_weight_stays(lab: Any, scheme: Any, attack: Any) -> None:
    marked = lab.embed(scheme)
    before = dict(plain(marked.service.net.module()).named_parameters())
    after = dict(lab.attack(attack, marked, scheme).service.net.module().named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())


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
