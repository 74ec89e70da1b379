from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmark.architectures.blocks import conv_blocks, plain
from benchmark.architectures.net import Net, build
from benchmark.protocol.parties import Owner, Unreadable, stream
from benchmark.training.loop import logits
from schemes.passport import Passport
from schemes.passport_key import message_bits

SCHEME = Passport()


def hits(observation: dict[str, Any], channel: str = "bits") -> int:
    return int(observation["channels"][channel]["hits"].count("1"))


def test_the_owner_reads_every_bit_and_keeps_the_accuracy(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    seen = lab.observe(SCHEME, marked)
    assert len(seen["channels"]["bits"]["hits"]) == 96
    assert hits(seen) == hits(seen, "carried_bits") == 96
    assert seen["channels"]["bits"]["law"] == {"kind": "binomial", "p": 0.5}
    assert seen["gates"]["fidelity"]["before"] == seen["gates"]["fidelity"]["after"]
    assert marked.accuracy > 0.94
    assert SCHEME.admissible(marked.key).bound


def test_an_innocent_net_is_at_chance_and_useless_with_the_owners_passports(lab: Any) -> None:
    seen = lab.observe(SCHEME, lab.null(0), lab.embed(SCHEME).key)
    assert 30 <= hits(seen) <= 66
    gate = seen["gates"]["fidelity"]
    assert gate["before"].count("1") > 370
    assert gate["after"].count("1") < 200


def test_folded_net_is_the_plain_host_and_computes_the_same(lab: Any) -> None:
    net = lab.embed(SCHEME).service.net.module()
    folded = plain(net)
    assert folded.spec() == lab.null(0).service.net.spec
    x = lab.splits.test.images()[:64]
    torch.testing.assert_close(logits(folded, x), logits(net, x), rtol=1e-4, atol=1e-4)
    again = Net.of(net).module()
    assert torch.equal(logits(again, x), logits(net, x))
    assert again.spec() == net.spec()


def test_passports_find_their_layers_in_a_residual_net(lab: Any) -> None:
    """The last three convolutions are the last residual block, as in DeepIPR's small ResNet."""
    scheme = Passport(layers=3, signature="(c) us")
    host = build(lab.context.spec("resnet8")).eval()
    owner = Owner(lab.context, lab.splits.owner, stream("owner"), Net.of(host))
    key = scheme.keygen(owner, torch.Generator().manual_seed(1))
    assert key.layers == ("blocks.2.first", "blocks.2.second", "blocks.2.shortcut")
    net = scheme.install(host, key)
    x = lab.splits.test.images()[:8]
    torch.testing.assert_close(logits(plain(net), x), logits(net, x), rtol=1e-4, atol=1e-4)
    assert [len(bits) for bits in key.bits] == [32, 32, 32]


def test_a_passport_holds_each_channel_slot_once_from_the_images_in_turn(lab: Any) -> None:
    scheme = Passport(images=1)
    owner = lab.owner(scheme)
    key = scheme.keygen(owner, torch.Generator().manual_seed(2))
    index = torch.randperm(len(owner.data), generator=torch.Generator().manual_seed(2))[:2]
    entering: list[torch.Tensor] = []
    host = owner.host
    dict(conv_blocks(host))["blocks.2"].register_forward_pre_hook(lambda _, x: entering.append(x[0]))
    logits(host, owner.data.take(index).images())
    mine, theirs = key.p_gamma[1][0], entering[0][0]
    order = [int((theirs == channel).all((1, 2)).nonzero()[0]) for channel in mine if channel.any()]
    alive = [i for i, channel in enumerate(theirs) if channel.any()]
    assert sorted(order) == alive
    assert order != alive


def test_other_shapes_are_unreadable_in_words(lab: Any) -> None:
    key = lab.embed(SCHEME).key
    with pytest.raises(Unreadable, match=r"no layer blocks\.1"):
        SCHEME.install(build(lab.context.spec("resnet8")), replace(key, layers=("blocks.1", "blocks.2")))
    narrow = build({**lab.context.spec(), "widths": [16, 30, 64]})
    with pytest.raises(Unreadable, match=r"layer blocks\.1 has \(16, 30\) channels"):
        SCHEME.install(narrow, key)


@pytest.mark.parametrize("text", ["", "né", "thirteen chars"])
def test_a_signature_without_room_or_outside_ascii_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="signature"):
        message_bits(text, 96)


def test_text_is_written_high_bit_first_and_repeated() -> None:
    assert message_bits("A", 20).int().tolist() == [0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0]


def test_bits_follow_from_text_and_secret_alone_or_with_the_passports(lab: Any) -> None:
    key = lab.embed(SCHEME).key
    moved = replace(key, p_gamma=(key.p_gamma[0] + 1, key.p_gamma[1]))
    assert SCHEME.admissible(moved).bound
    assert not SCHEME.admissible(replace(key, secret=bytes(32))).bound
    assert not SCHEME.admissible(replace(key, signature="thief")).bound
    assert not SCHEME.admissible(replace(key, bits=(~key.bits[0], key.bits[1]))).bound
    strict = Passport(binding="passports")
    bound = strict.passport_key(lab.null(0).service.net.module(), key.passports, key.secret)
    assert strict.admissible(bound).bound
    assert not strict.admissible(replace(bound, p_gamma=moved.p_gamma)).bound


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({name: () for name in ("layers", "texts", "bits", "p_gamma", "p_beta")}, "names no layer"),
        ({"signature": "é"}, "ASCII"),
        ({"statistics": (torch.ones(2, 16),)}, "V1 ships its only branch"),
    ],
)
def test_malformed_keys_are_refused_in_words(lab: Any, damage: Any, reason: str) -> None:
    found = SCHEME.admissible(replace(lab.embed(SCHEME).key, **damage))
    assert (found.well_formed, found.bound) == (False, False)
    assert reason in str(found.reason)


def test_a_scale_of_zero_is_an_error(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    silent = replace(marked.key, p_gamma=tuple(torch.zeros_like(p) for p in marked.key.p_gamma))
    assert hits(lab.observe(SCHEME, marked, silent)) == 0


def test_free_bits_have_no_law_and_are_bound_to_nothing(lab: Any) -> None:
    free = Passport(binding="free")
    marked = lab.embed(free)
    seen = lab.observe(free, marked)
    assert hits(seen) == 96
    assert "law" not in seen["channels"]["bits"]
    anything = replace(marked.key, bits=tuple(~bits for bits in marked.key.bits), signature="thief")
    for key in (marked.key, anything):
        found = free.admissible(key)
        assert (found.well_formed, found.bound, found.hash_bound) == (True, True, False)
    assert not free.admissible(replace(marked.key, bits=tuple(bits.int() for bits in marked.key.bits))).well_formed


def test_whoever_may_declare_bits_declares_those_that_fit(lab: Any) -> None:
    """The same strange passports on the same net: all bits fit where they are free, half where they are bound."""
    net = lab.null(0).service.net.module()
    pairs = [(torch.rand(p.shape) * 2 - 1, torch.rand(p.shape) * 2 - 1) for p in lab.embed(SCHEME).key.p_gamma]
    for scheme, least, most in ((Passport(binding="free"), 96, 96), (SCHEME, 30, 66)):
        key = scheme.passport_key(net, pairs, bytes(32))
        assert least <= hits(lab.observe(scheme, lab.null(0), key)) <= most
        assert scheme.admissible(key).bound
