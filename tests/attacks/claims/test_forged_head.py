import pytest
import torch

from attacks.claims.ambiguity import FreshKey
from attacks.claims.forged_head import FalseHead, ForgedHead
from benchmark.contract import NotApplicable
from leaderboard.judge.evidence import weigh
from schemes.adi import Adi
from schemes.keynet import KeyNet

SCHEME = KeyNet()


def unmarked(lab, key):
    """What the key's head reads in eight unmarked nets; of other identities the first 19 are enough there."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("_SOME_IDENTITIES", "MOST_IDENTITIES"):
            patch.setattr(f"schemes.keynet.{limit}", 19)
        return [lab.observe(SCHEME, lab.null(index), key) for index in range(8)]


def weighed(lab, attack, search_bits, replicate=0):
    claim = lab.attack(attack, lab.embed(SCHEME), SCHEME, replicate)
    nulls = unmarked(lab, claim.key)
    seen = lab.observe(SCHEME, claim)
    return weigh(seen, {"clean": nulls}, 1e-3, search_bits=search_bits), claim


def test_a_forged_head_reads_most_signed_pictures_but_other_signatures_too(lab):
    """Now and then such a head tells its own signature from others': the charge for a search refuses that thief too."""
    refuted = []
    for replicate in range(3):
        found, claim = weighed(lab, ForgedHead(), 0, replicate)
        assert found.rate > 0.5  # a fixed threshold of a half would be fooled
        assert found.log10_p_null < -3  # so would comparing with unmarked nets alone
        assert SCHEME.admissible(claim.key).bound
        assert weighed(lab, ForgedHead(), 64, replicate)[0].state != "present"
        refuted.append(found.log10_p_key > -3)
    assert any(refuted)


def test_a_head_forged_on_an_innocent_net_reads_much_and_other_signatures_too(lab):
    """What a threshold set below its rate would believe: an innocent net, accused."""
    innocent = lab.null(20)
    claim = lab.attack(FalseHead(), innocent, SCHEME)
    seen = lab.observe(SCHEME, claim)
    nulls = unmarked(lab, claim.key)
    found = weigh(seen, {"clean": nulls}, 1e-3, search_bits=0)
    assert SCHEME.admissible(claim.key).bound
    assert 0.4 < found.rate < 0.9
    assert found.log10_p_key > -3
    assert found.state != "present"
    honest = lab.observe(SCHEME, innocent, lab.embed(SCHEME).key)
    assert lab.total(seen) > 2 * lab.total(honest)


def test_a_claim_that_was_not_committed_pays_for_the_search(lab):
    for attack in (ForgedHead(), FreshKey()):
        assert weighed(lab, attack, search_bits=64)[0].state != "present"


def test_a_key_without_a_learnt_head_reads_nothing(lab):
    found, claim = weighed(lab, FreshKey(), search_bits=0)
    assert found.total == 0
    assert SCHEME.admissible(claim.key).well_formed


def test_the_model_is_claimed_as_it_was_released_and_queries_are_counted(lab):
    claim = lab.attack(ForgedHead(), lab.embed(SCHEME), SCHEME)
    marked = lab.embed(SCHEME).service.net.state
    assert all(torch.equal(tensor, marked[name]) for name, tensor in claim.service.net.state.items())
    cost = claim.cost.record()
    assert (cost["queries"], cost["steps"], cost["labelled"]) == (1500, 500, 0)


def test_more_queries_and_steps_forge_more(lab):
    weak = ForgedHead(queries=20, steps=5)
    assert weighed(lab, weak, 0)[0].total < weighed(lab, ForgedHead(), 0)[0].total - 50


def test_a_scheme_without_a_private_head_is_not_applicable(lab):
    with pytest.raises(NotApplicable, match="forged-head needs a scheme with carriers, and adi has none"):
        lab.attack(ForgedHead(), lab.embed(Adi()), Adi())
