import pytest
import torch

from attacks.claims.ambiguity import ForgedTriggers, FreshKey, PickTriggers, RedrawSearch
from benchmark.contract import NotApplicable, Scheme, Thief, as_float
from benchmark.protocol.parties import stream
from leaderboard.judge.evidence import weigh
from leaderboard.judge.verdicts import SEARCH_BITS, acceptance, claim_verdict
from leaderboard.stats.tails import binomial_tails
from schemes.adi import Adi
from schemes.rose import Rose

ADI, ROSE = Adi(), Rose()


def claimed(lab, attack, scheme):
    """How often the claimed key hits on the marked model, and the claim."""
    claim = lab.attack(attack, lab.embed(scheme), scheme)
    return lab.total(lab.observe(scheme, claim)), claim


@pytest.mark.parametrize("attack", [FreshKey(), ForgedTriggers()], ids=lambda attack: attack.name)
def test_the_model_is_claimed_as_it_was_released(lab, attack):
    marked, claim = lab.embed(ADI), lab.attack(attack, lab.embed(ADI), ADI)
    assert not claim.service.filters
    for name, tensor in marked.service.net.state.items():
        assert torch.equal(claim.service.net.state[name], tensor)


@pytest.mark.parametrize(("scheme", "limit"), [(ADI, 25), (ROSE, 15)], ids=["adi", "rose"])
def test_a_fresh_key_is_admissible_and_at_chance(lab, scheme, limit):
    total, claim = claimed(lab, FreshKey(), scheme)
    assert total < limit  # P below 1e-5
    assert scheme.admissible(claim.key).bound
    assert claim.key.secret != lab.embed(scheme).key.secret


def test_forged_triggers_fit_where_labels_ignore_the_images(lab):
    total, claim = claimed(lab, ForgedTriggers(), ADI)
    assert total >= 95
    assert ADI.admissible(claim.key).bound
    assert lab.total(lab.observe(ADI, lab.null(101), claim.key)) < 40  # made on this model, hardly on others


def test_forged_triggers_are_at_chance_where_labels_hash_the_images(lab):
    total, claim = claimed(lab, ForgedTriggers(), ROSE)
    assert total < 15  # P(Bin(40, 1/10) >= 15) = 3e-6
    assert ROSE.admissible(claim.key).bound


def test_a_larger_change_forges_more(lab):
    totals = [claimed(lab, ForgedTriggers(eps=eps), ADI)[0] for eps in (0.0, 0.03, 0.125)]
    assert totals[0] < 25
    assert totals[0] + 20 < totals[1] < totals[2]


def test_gradient_steps_are_counted(lab):
    cost = lab.attack(ForgedTriggers(), lab.embed(ADI), ADI).cost.record()
    assert (cost["steps"], cost["samples"], cost["queries"]) == (40, 4000, 0)


def test_forged_images_stay_near_their_start_and_in_range(lab):
    """With a secret of its own the thief's stream draws the same images, whatever he makes of them."""
    start, moved = (lab.attack(ForgedTriggers(eps=eps), lab.embed(ADI), ADI).key.images for eps in (0.0, 0.1))
    change = (as_float(moved) - as_float(start)).abs()
    assert 0.09 < float(change.max()) <= 0.1 + 0.5 / 255 + 1e-6
    assert bool(((moved == 0) & (start > 0)).any())  # brought to the edge of the range, not beyond


@pytest.mark.parametrize(("scheme", "n"), [(ADI, 100), (ROSE, 40)], ids=["adi", "rose"])
def test_the_best_of_many_secrets_is_what_chance_gives(lab, scheme, n):
    """The largest of N binomial totals: hits whose tail is near 1 / N, for one secret as for 2^14."""
    for bits in (0, 6, 12, 14):
        total, claim = claimed(lab, RedrawSearch(bits), scheme)
        tail = 10 ** binomial_tails(n, 0.1)[total]
        assert 1 - (1 - tail) ** 2**bits > 1e-3, (bits, total)  # not too good
        above = 10 ** binomial_tails(n, 0.1)[total + 1]
        assert (1 - above) ** 2**bits > 1e-3, (bits, total)  # not too poor
        assert scheme.admissible(claim.key).bound
        assert claim.cost.queries == n


def test_a_longer_search_is_never_worse(lab):
    totals = [claimed(lab, RedrawSearch(bits), ROSE)[0] for bits in (0, 4, 8, 12)]
    assert totals == sorted(totals)
    assert totals[-1] > totals[0]


def test_the_search_tries_as_many_secrets_as_it_says(lab, monkeypatch):
    tried = []
    rule = Rose.trigger_labels
    monkeypatch.setattr(Rose, "trigger_labels", lambda *given: tried.append(given[2]) or rule(*given))
    claim = lab.attack.__wrapped__(RedrawSearch(11), lab.embed(ROSE), ROSE)
    # once for the draw of his images, once for the claim
    assert len(tried) == 2**11 + 2
    assert len(set(tried)) == 2**11 + 1
    assert claim.key.secret in tried[1:-1]


@pytest.mark.parametrize("scheme", [ADI, ROSE], ids=["adi", "rose"])
def test_a_court_that_charges_the_search_rejects_it(lab, scheme):
    """At 2^12 secrets p_key is small, and would be believed of a key that was committed in time."""
    _, claim = claimed(lab, RedrawSearch(12), scheme)
    found = scheme.admissible(claim.key)
    assert found.hash_bound
    admission = {"well_formed": True, "bound": found.bound, "hash_bound": True, "committed": False, "reason": None}
    nulls = {"clean": [lab.observe(scheme, lab.null(index), claim.key) for index in range(100, 108)]}
    seen = lab.observe(scheme, claim)
    free, charged = (weigh(seen, nulls, 1e-3, search_bits=charge) for charge in (0, SEARCH_BITS))
    assert free.log10_p_key < -3
    assert charged.state != "present"
    assert claim_verdict(admission, acceptance(charged, {}), commitment_required=False).word == "rejected"
    assert claim_verdict(admission, acceptance(free, {}), commitment_required=True).word == "rejected"


def test_images_picked_by_their_answers_fit_where_labels_ignore_them(lab):
    total, claim = claimed(lab, PickTriggers(), ADI)
    assert total >= 95
    assert ADI.admissible(claim.key).bound
    assert claim.cost.queries == 2000
    assert len(claim.key.images.flatten(1).unique(dim=0)) == ADI.n


def test_images_picked_by_their_answers_are_at_chance_where_labels_hash_them(lab):
    total, claim = claimed(lab, PickTriggers(), ROSE)
    assert total < 15  # P(Bin(40, 1/10) >= 15) = 3e-6
    assert ROSE.admissible(claim.key).bound


def test_more_rounds_pick_more(lab):
    totals = [claimed(lab, PickTriggers(rounds), ADI)[0] for rounds in (1, 3, 20)]
    assert totals[0] < 25
    assert totals[0] + 10 < totals[1] < totals[2]


@pytest.mark.parametrize("attack", [RedrawSearch(0), PickTriggers(1)], ids=lambda attack: attack.name)
def test_answers_are_all_it_takes(lab, attack):
    """No weights and no labels of the thief's own images, where the key's images are not his data."""
    thief = Thief(
        lab.context, lab.splits.thief.take(torch.arange(0)), stream("t"), lab.embed(ADI).service.running(), "labels",
        scheme=ADI,
    )  # fmt: skip
    assert attack.run(thief).claim is not None
    assert thief.cost.labelled == 0


@pytest.mark.parametrize("attack", [RedrawSearch(0), PickTriggers(1), ForgedTriggers()], ids=lambda one: one.name)
def test_a_scheme_without_triggers_is_not_applicable(lab, attack):
    class Wordless(Scheme):
        name = "wordless"
        keygen = embed = observe = rebind = None

    with pytest.raises(NotApplicable, match="needs a scheme with triggers, and wordless has none"):
        lab.attack(attack, lab.embed(ADI), Wordless())


def test_an_innocent_model_has_no_scheme_to_imitate(lab):
    with pytest.raises(NotApplicable, match="no scheme"):
        lab.attack(FreshKey(), lab.null(100))
