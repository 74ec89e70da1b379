from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.flip import Flip, SignFlip
from benchmark.architectures.blocks import conv_blocks, plain
from benchmark.protocol.parties import NotApplicable
from benchmark.training.loop import logits
from schemes.passport import Passport

SCHEME = Passport()


def hits(observation: dict[str, Any], channel: str) -> int:
    return int(observation["channels"][channel]["hits"].count("1"))


def test_flip_breaks_accuracy_and_the_carried_bits_while_re_derived_bits_stay(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    flipped = lab.attack(Flip(share=0.5), marked, SCHEME)
    seen = lab.observe(SCHEME, flipped, marked.key)
    assert hits(seen, "bits") == 96
    assert hits(seen, "carried_bits") < 66
    assert flipped.accuracy < 0.5


def test_flip_turns_the_share_it_names(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    everything = lab.observe(SCHEME, lab.attack(Flip(share=1.0), marked, SCHEME), marked.key)
    assert hits(everything, "carried_bits") == 0
    flipped = lab.attack(Flip(share=0.25), marked, SCHEME).service.net.module()
    before = torch.cat([b.norm.weight for _, b in conv_blocks(plain(marked.service.net.module()))])
    after = torch.cat([b.norm.weight for _, b in conv_blocks(flipped)])
    assert int((before * after < 0).sum()) == round(0.25 * len(before))
    torch.testing.assert_close(before.abs(), after.abs())


def test_flip_of_one_layer_leaves_the_others_alone(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    flipped = lab.attack(Flip(share=1.0, layer="blocks.1"), marked, SCHEME)
    carried = lab.observe(SCHEME, flipped, marked.key)["channels"]["carried_bits"]["hits"]
    assert (carried[:32].count("1"), carried[32:].count("1")) == (0, 64)
    with pytest.raises(NotApplicable, match=r"no normalised convolution blocks\.9: it has blocks\.0"):
        lab.attack(Flip(layer="blocks.9"), marked, SCHEME)


def test_sign_flip_changes_no_answer_and_loses_the_bits(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    flipped = lab.attack(SignFlip(share=0.5), marked, SCHEME)
    x = lab.splits.test.images()
    theirs, ours = (logits(one.service.net.module(), x) for one in (flipped, marked))
    assert torch.equal(theirs.argmax(1), ours.argmax(1))
    torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-3)
    assert 30 <= hits(lab.observe(SCHEME, flipped, marked.key), "bits") <= 66


def test_sign_flip_serves_any_net(lab: Any) -> None:
    innocent = lab.null(0)
    flipped = lab.attack(SignFlip(share=1.0), innocent)
    assert torch.equal(flipped.right, innocent.right)
    signs = [b.norm.weight for _, b in conv_blocks(flipped.service.net.module())]
    plain_signs = [b.norm.weight for _, b in conv_blocks(innocent.service.net.module())]
    assert all(torch.equal(a, -b) for a, b in zip(signs, plain_signs, strict=True))
