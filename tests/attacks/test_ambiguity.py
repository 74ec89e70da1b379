import pytest
import torch

from attacks.ambiguity import ForgedTriggers, FreshKey, targeted
from benchmark.contract import NotApplicable, Scheme, as_float
from benchmark.protocol.parties import stream
from schemes.adi import Adi
from schemes.rose import Rose

ADI, ROSE = Adi(), Rose()


def claimed(lab, attack, scheme):
    """How often the claimed key hits on the marked model, and the claim."""
    looted = lab.attack(attack, lab.embed(scheme), scheme)
    return lab.total(lab.observe(scheme, looted)), looted


@pytest.mark.parametrize("attack", [FreshKey(), ForgedTriggers()], ids=lambda attack: attack.name)
def test_the_model_is_claimed_as_it_was_released(lab, attack):
    marked, looted = lab.embed(ADI), lab.attack(attack, lab.embed(ADI), ADI)
    assert not looted.service.filters
    for name, tensor in marked.service.net.state.items():
        assert torch.equal(looted.service.net.state[name], tensor)


@pytest.mark.parametrize(("scheme", "limit"), [(ADI, 25), (ROSE, 15)], ids=["adi", "rose"])
def test_a_fresh_key_is_admissible_and_at_chance(lab, scheme, limit):
    total, looted = claimed(lab, FreshKey(), scheme)
    assert total < limit  # P below 1e-5
    assert scheme.admissible(looted.key).bound
    assert looted.key.secret != lab.embed(scheme).key.secret


def test_forged_triggers_fit_where_labels_ignore_the_images(lab):
    total, looted = claimed(lab, ForgedTriggers(), ADI)
    assert total >= 95
    assert ADI.admissible(looted.key).bound
    assert lab.total(lab.observe(ADI, lab.null(101), looted.key)) < 40  # made on this model, hardly on others


def test_forged_triggers_are_at_chance_where_labels_hash_the_images(lab):
    total, looted = claimed(lab, ForgedTriggers(), ROSE)
    assert total < 15  # P(Bin(40, 1/10) >= 15) = 3e-6
    assert ROSE.admissible(looted.key).bound


def test_a_larger_change_forges_more(lab):
    totals = [claimed(lab, ForgedTriggers(eps=eps), ADI)[0] for eps in (0.0, 0.03, 0.125)]
    assert totals[0] < 25
    assert totals[0] + 20 < totals[1] < totals[2]


def test_gradient_steps_are_billed(lab):
    bill = lab.attack(ForgedTriggers(), lab.embed(ADI), ADI).bill.record()
    assert (bill["steps"], bill["samples"], bill["queries"]) == (40, 4000, 0)


def test_images_stay_near_their_start_and_in_range(lab):
    model = lab.embed(ADI).service.net.module()
    start = as_float(torch.randint(256, (30, 1, 16, 16), generator=stream("start"), dtype=torch.uint8))
    moved = targeted(model, start, torch.zeros(30, dtype=torch.long), 0.1, 10)
    assert float((moved - start).abs().max()) <= 0.1 + 1e-6
    assert float((moved - start).abs().max()) > 0.09
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1
    assert not moved.requires_grad


def test_a_scheme_without_triggers_is_not_applicable(lab):
    class Wordless(Scheme):
        name = "wordless"
        keygen = embed = observe = rebind = None

    with pytest.raises(NotApplicable, match="wordless has no triggers"):
        lab.attack(ForgedTriggers(), lab.embed(ADI), Wordless())


def test_an_innocent_model_has_no_scheme_to_imitate(lab):
    with pytest.raises(NotApplicable, match="no scheme"):
        lab.attack(FreshKey(), lab.null(100))
