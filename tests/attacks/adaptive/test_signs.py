"""Who knows what passports read turns half of the signs, with the shipped passports or with some of his own."""

import pytest

from attacks.adaptive.signs import TurnSigns
from benchmark.contract import NotApplicable
from schemes.adi import Adi
from schemes.passport import Passport


@pytest.mark.parametrize("scheme", [Passport(), Passport(version="v2")], ids=["v1", "v2"])
def test_the_sign_loss_turns_half_of_the_signs_and_the_same_training_without_it_none(lab, scheme):
    marked = lab.embed(scheme)
    found, plain = (lab.attack(TurnSigns(alpha=alpha), marked, scheme) for alpha in (0.1, 0.0))
    before, after, kept = (lab.total(lab.observe(scheme, one, marked.key)) for one in (marked, found, plain))
    assert kept > 0.9 * before
    assert 0.3 * before < after < 0.7 * before
    assert found.accuracy > marked.accuracy - 0.05


def test_a_scheme_without_passports_has_no_signs_to_turn(lab):
    with pytest.raises(NotApplicable, match="needs a scheme with passports"):
        lab.attack(TurnSigns(epochs=1), lab.embed(Adi()), Adi())
