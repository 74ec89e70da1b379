import pytest
import torch

from attacks.adaptive.decoys import TrainAndUnlearn, UnlearnCarriers, UnlearnTriggers
from attacks.finetune import Finetune
from benchmark.contract import NotApplicable
from schemes.adi import Adi
from schemes.keynet import KeyNet
from schemes.rose import Rose


@pytest.mark.parametrize(
    ("scheme", "attack", "plain"),
    [
        (Adi(), UnlearnTriggers(epochs=20), Finetune(lr=0.1, epochs=20, schedule="cosine")),
        (KeyNet(), UnlearnCarriers(), Finetune(lr=0.02, epochs=20)),
    ],
    ids=["adi", "keynet"],
)
def test_who_knows_how_a_mark_is_made_unlearns_it_where_fine_tuning_leaves_it(lab, scheme, attack, plain):
    marked = lab.embed(scheme)

    def after(thief):
        found = lab.attack(thief, marked, scheme)
        return lab.total(lab.observe(scheme, found, marked.key)), found.accuracy

    hits, accuracy = after(attack)
    fresh = lab.total(lab.observe(scheme, marked))
    assert hits < 0.3 * fresh
    assert after(plain)[0] > 0.6 * fresh
    assert accuracy > marked.accuracy - 0.02


def test_at_rate_zero_every_weight_stays(lab):
    marked = lab.embed(Adi())
    still = lab.attack(UnlearnTriggers(lr=0.0, epochs=1), marked, Adi()).service.net.state
    before = marked.service.net.state
    assert all(torch.equal(still[name], before[name]) for name in before if "running" not in name and "num" not in name)


def test_decoys_are_the_thiefs_own_and_the_bill_says_so(lab):
    marked, adi = lab.embed(Adi()), Adi()
    cost = lab.attack(UnlearnTriggers(decoys=150, epochs=1), marked, adi).cost.record()
    assert (cost["labelled"], cost["queries"]) == (400, 0)
    with pytest.raises(NotApplicable, match="needs a scheme with carriers"):
        lab.attack(UnlearnCarriers(), marked, adi)


def test_a_mark_trained_over_roses_and_unlearnt_takes_it_along(lab):
    rose = Rose()
    marked = lab.embed(rose)
    found = lab.attack(TrainAndUnlearn(), marked, rose)
    assert lab.total(lab.observe(rose, found, marked.key)) < 15  # P(Bin(40, 1/10) >= 15) = 3e-6
    assert found.accuracy > marked.accuracy - 0.02
