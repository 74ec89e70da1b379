from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.claims.passports import AccessoryBlock, Fake1, Fake2, Fake3, Fake3Oracle, least_passport, scale_of
from benchmark.errors import NotApplicable
from benchmark.protocol.parties import stream
from benchmark.protocol.thief import Thief
from schemes.passport import Passport

SCHEME = Passport()
STRICT = Passport(binding="passports")
FREE = Passport(binding="free")
SIGNED = Passport(recipe="signed")
V2 = Passport(version="v2")
V3 = Passport(version="v3")


def claim(lab: Any, attack: Any, scheme: Any = SCHEME) -> tuple[int, int, Any]:
    """Hits of the forger's own bits, images lost with his passports installed, and his key."""
    marked = lab.embed(scheme)
    forged = lab.attack(attack, marked, scheme)
    assert scheme.admissible(forged.key).bound  # he plays by the rules of his own secret
    assert forged.key.secret != marked.key.secret
    assert torch.equal(forged.right, marked.right)  # the model is untouched
    seen = lab.observe(scheme, marked, forged.key)
    gate = seen["gates"]["fidelity"]
    return lab.total(seen), gate["before"].count("1") - gate["after"].count("1"), forged.key


@pytest.mark.parametrize("source", ["noise", "untrained"])
def test_fake1_without_a_trained_net_fails_both_checks(lab: Any, source: str) -> None:
    hits, lost, _ = claim(lab, Fake1(passports=source))
    assert 30 <= hits <= 66
    assert lost > 200


def test_fake1_of_a_trained_net_passes_for_accuracy_but_not_for_bits(lab: Any) -> None:
    """Non-negative passports derive nearly the owner's scales, whoever drew them: only bound bits refuse it."""
    hits, lost, _ = claim(lab, Fake1(passports="trained"))
    assert 30 <= hits <= 66
    assert lost < 60


@pytest.mark.parametrize("attack", [Fake1(passports="trained"), Fake2(), Fake3(turned=0.0)])
def test_free_bits_fit_any_passports(lab: Any, attack: Any) -> None:
    """What the binding buys: without it the forger names the bits that his passports derive, and all of them fit."""
    hits, lost, key = claim(lab, attack, FREE)
    assert hits == 96
    assert lost < 20
    bound = Passport().passport_key(lab.null(0).service.net.module(), key.passports, key.secret)
    assert 30 <= lab.total(lab.observe(SCHEME, lab.embed(FREE), bound)) <= 66


@pytest.mark.parametrize("turned", [0.0, 0.5, 1.0])
def test_fake2_starts_from_signs_that_are_turned_though_bits_are_free(lab: Any, turned: float) -> None:
    """As the authors do: else the forger claims the owner's own signature, and nothing is put to the test."""
    _, _, key = claim(lab, Fake2(epochs=1, lr=0.0, turned=turned), FREE)
    owners = torch.cat(FREE.signs(lab.embed(FREE).key))
    assert int((torch.cat(FREE.signs(key)) != owners).sum()) == round(96 * turned)


def test_fake3_pays_for_the_free_signs_that_it_turns(lab: Any) -> None:
    """Passports that are copied and hardly changed keep everything; with half of the signs turned they do not."""
    owners = torch.cat(FREE.signs(lab.embed(FREE).key))
    found = [claim(lab, Fake3(turned=turned), FREE) for turned in (0.0, 0.5)]
    changed = [int((torch.cat(FREE.signs(key)) != owners).sum()) for _, _, key in found]
    assert changed[0] <= 2
    assert changed[1] >= 35
    assert found[0][1] < 10 < 40 < found[1][1]


def test_fake2_forges_bits_and_accuracy_unless_the_bits_are_bound_to_the_passports(lab: Any) -> None:
    hits, lost, _ = claim(lab, Fake2())
    assert hits >= 75
    assert lost < 20
    hits, _, _ = claim(lab, Fake2(), STRICT)
    assert 30 <= hits <= 66


def test_fake3_turns_the_shipped_passports_to_new_bits(lab: Any) -> None:
    hits, _, key = claim(lab, Fake3())
    assert hits >= 75
    original = lab.embed(SCHEME).key.p_gamma
    assert all(
        torch.cosine_similarity(a.flatten(), b.flatten(), 0) < 0.9 for a, b in zip(key.p_gamma, original, strict=True)
    )
    hits, _, _ = claim(lab, Fake3(), STRICT)
    assert 30 <= hits <= 66


def test_fake3_distance_moves_the_passports_away(lab: Any) -> None:
    def moved(distance: float) -> float:
        _, _, key = claim(lab, Fake3(epochs=1, lr=0.01, alpha=0.0, distance=distance))
        pairs = zip(key.p_beta, lab.embed(SCHEME).key.p_beta, strict=True)
        return sum(float((a - b).square().mean()) for a, b in pairs)

    assert moved(1e-3) > 10 * moved(0.0)


def test_least_passport_derives_the_wanted_scales() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(16, 32, 3, padding=1, bias=False)
    wanted = torch.randn(32)
    torch.testing.assert_close(
        scale_of(conv, least_passport(conv, torch.zeros(1, 16, 8, 8), wanted)), wanted, rtol=1e-3, atol=1e-4
    )


def test_fake3_needs_passports_that_ship(lab: Any) -> None:
    running = lab.null(0).service.running()
    thief = Thief(lab.context, lab.splits.thief, stream(0), running, "weights", scheme=SCHEME)
    with pytest.raises(NotApplicable, match="ships no passports any more"):
        Fake3()(thief)
    for scheme in (V2, V3):
        with pytest.raises(NotApplicable, match=f"{scheme.version} ships no passports: they stay with the owner"):
            lab.attack(Fake3(), lab.embed(scheme), scheme)


@pytest.mark.parametrize("scheme", [V2, V3], ids=["v2", "v3"])
def test_fake3_forges_passports_that_stay_at_home_once_the_key_leaks(lab: Any, scheme: Passport) -> None:
    """Most of his bits are met, half of which are new, and that costs accuracy; a smaller alpha trades one for one."""
    hits, lost, key = claim(lab, Fake3Oracle(), scheme)
    assert hits >= 75
    fewer, less, _ = claim(lab, Fake3Oracle(alpha=0.03), scheme)
    assert fewer < hits
    assert less < lost < 200
    owner = lab.embed(scheme).key
    assert not torch.equal(key.statistics[0][0], owner.statistics[0][0])
    assert any(not torch.equal(mine, theirs) for mine, theirs in zip(key.p_gamma, owner.p_gamma, strict=True))


def test_signed_passports_refuse_what_a_strangers_net_yields(lab: Any) -> None:
    """The same forger keeps the accuracy against passports without signs: see above."""
    _, lost, _ = claim(lab, Fake1(passports="trained"), SIGNED)
    assert lost > 200
    _, lost, _ = claim(lab, Fake1(passports="trained"), Passport(version="v2", recipe="signed"))
    assert lost > 200


@pytest.mark.parametrize("scheme", [V2, V3], ids=["v2", "v3"])
def test_fake1_and_fake2_forge_against_a_private_branch(lab: Any, scheme: Passport) -> None:
    hits, lost, _ = claim(lab, Fake1(passports="noise"), scheme)
    assert 30 <= hits <= 66
    assert lost > 200
    hits, lost, key = claim(lab, Fake1(passports="trained"), scheme)
    assert 30 <= hits <= 66
    assert lost < 60
    assert len(key.statistics) == 1
    hits, lost, _ = claim(lab, Fake2(), scheme)
    assert hits >= 75
    assert lost < 20


@pytest.mark.parametrize(("scheme", "most"), [(SCHEME, 12), (V2, 12), (SIGNED, 30)], ids=["v1", "v2", "signed"])
def test_the_accessory_block_gives_every_bit_and_keeps_the_accuracy(lab: Any, scheme: Passport, most: int) -> None:
    hits, lost, _ = claim(lab, AccessoryBlock(), scheme)
    assert hits >= 90
    assert lost < most


def test_the_accessory_block_cannot_meet_bits_that_are_bound_to_the_passports(lab: Any) -> None:
    hits, _, _ = claim(lab, AccessoryBlock(), STRICT)
    assert 30 <= hits <= 66


def test_the_accessory_block_learns(lab: Any) -> None:
    """Without training it would be the direct path alone: a stranger's passports, at chance."""
    hits, _, _ = claim(lab, AccessoryBlock(epochs=1, lr=1e-6))
    assert 30 <= hits <= 66
