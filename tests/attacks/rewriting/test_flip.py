from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.rewriting.flip import Flip, SignFlip
from benchmark.architectures.blocks import conv_blocks, plain
from benchmark.errors import NotApplicable
from benchmark.execution.run_file import describe
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.training.loop import logits
from schemes.passport import Passport

SCHEME = Passport()


def hits(observation: dict[str, Any], channel: str) -> int:
    return int(observation["channels"][channel]["hits"].count("1"))


def scales(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: block.norm.weight for name, block in conv_blocks(plain(net))}


def test_flip_loses_the_carried_bits_and_no_re_derived_one(lab: Any) -> None:
    """The scales that a flip turns are those that decide: filters keep every bit, whatever the net is worth."""
    marked = lab.embed(SCHEME)
    before = lab.observe(SCHEME, marked)
    assert hits(before, Flip.evidence) == hits(before, before["evidence"]) == 96
    flipped = lab.attack(Flip(share=0.5), marked, SCHEME)
    seen = lab.observe(SCHEME, flipped, marked.key)
    assert hits(seen, Flip.evidence) == 48
    assert hits(seen, "bits") == 96
    assert flipped.accuracy < marked.accuracy - 0.2


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_flip_turns_the_share_of_the_passport_layers_that_it_names(lab: Any, share: float) -> None:
    marked = lab.embed(SCHEME)
    flipped = lab.attack(Flip(share=share), marked, SCHEME)
    assert hits(lab.observe(SCHEME, flipped, marked.key), Flip.evidence) == round(96 * (1 - share))
    before, after = (scales(one.service.net.module()) for one in (marked, flipped))
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"blocks.1", "blocks.2"}
    turned = sum(int((before[name] * after[name] < 0).sum()) for name in before)
    assert turned == round(96 * share)
    assert all(torch.equal(before[name].abs(), after[name].abs()) for name in before)


def test_flip_of_one_layer_leaves_the_others_alone(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    flipped = lab.attack(Flip(share=1.0, layer="blocks.1"), marked, SCHEME)
    carried = lab.observe(SCHEME, flipped, marked.key)["channels"][Flip.evidence]["hits"]
    assert (carried[:32].count("1"), carried[32:].count("1")) == (0, 64)
    with pytest.raises(NotApplicable, match=r"no passport is in a layer blocks\.0: they are in blocks\.1, blocks\.2"):
        lab.attack(Flip(layer="blocks.0"), marked, SCHEME)


def test_the_run_file_names_the_channel_that_decides() -> None:
    registry = Registry.discover()
    attacks = select_attacks("sign-flip,flip(share=0.5)", registry)
    plan = make_plan(load_profile("quick"), select_schemes("passport,adi()", registry), attacks, {})
    described = describe(plan, "run", "bench", ()).as_json()
    assert [one["evidence"] for one in described["attacks"]] == ["", Flip.evidence]
    cells = [cell for cell in described["cells"] if cell["attack"].startswith("flip") and not cell["innocent"]]
    reasons = {cell["scheme"].partition("(")[0]: cell["reason"] for cell in cells}
    assert reasons["passport"] is None
    assert "needs a scheme with passports" in reasons["adi"]


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_scales_that_never_held_the_bits_are_not_flipped(lab: Any, version: str) -> None:
    scheme = Passport(version=version)
    with pytest.raises(NotApplicable, match=f"{version} ships no passports"):
        lab.attack(Flip(), lab.embed(scheme), scheme)


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
