from dataclasses import replace

from attacks.claims.false_triggers import TransferableTriggers
from leaderboard.judge.evidence import weigh
from schemes.adi import Adi
from schemes.rose import Rose

FALSE = TransferableTriggers()


def claimed(lab, scheme, attack, search_bits=0):
    claim = lab.attack(attack, lab.null(20), scheme)
    seen = lab.observe(scheme, claim)
    nulls = [lab.observe(scheme, lab.null(index), claim.key) for index in range(4)]
    assert scheme.admissible(claim.key).bound
    return weigh(seen, {"clean": nulls}, 1e-3, search_bits=search_bits)


def test_triggers_made_on_other_nets_accuse_an_innocent_one_unless_it_is_older(lab):
    found = claimed(lab, Adi(), FALSE)
    assert found.log10_p_key < -6
    assert claimed(lab, Adi(), replace(FALSE, eps=0.0)).state != "present"


def test_labels_that_hang_on_the_pictures_make_it_a_guess(lab):
    assert claimed(lab, Rose(), FALSE).log10_p_key > -3
