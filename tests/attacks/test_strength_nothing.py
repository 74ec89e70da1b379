"""Negative controls: at strength 0 an attack leaves every weight alone. The other rooms' tests have those of theirs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.adaptive.decoys import TrainAndUnlearn, UnlearnCarriers
from attacks.overwrite import Overwrite
from attacks.prune import Prune, PruneRandom, PruneStructured
from attacks.repair.channel_statistics import Clp
from attacks.rewriting.flip import Flip, SignFlip
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


@pytest.mark.parametrize(("scheme", "attack"), NOTHING, ids=lambda one: one.name)
def test_at_strength_nothing_every_weight_stays(lab: Any, scheme: Any, attack: Any) -> None:
    marked = lab.embed(scheme)
    before = dict(plain(marked.service.net.module()).named_parameters())
    after = dict(lab.attack(attack, marked, scheme).service.net.module().named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())
