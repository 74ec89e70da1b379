"""Schemes and attacks on a transformer: what was made for convolutions finds filters there, or says what is missing."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from lab import Lab
from torch import nn

from attacks.adaptive.decorrelation import Decorrelate
from attacks.prune import Prune
from attacks.quantize import Quantize
from attacks.repair.channel_statistics import Bnp, Clp
from attacks.repair.neuron_masks import Anp, Masked
from attacks.retraining.fine_pruning import FinePruning
from attacks.retraining.shocks import WeightShifting
from attacks.rewriting.dummy_neurons import DummyNeurons
from attacks.rewriting.flip import SignFlip
from attacks.rewriting.merge import Merge
from attacks.rewriting.rearrange import Rearrange
from attacks.unlearning.attention import Nad
from attacks.unlearning.patches import Laundering
from benchmark.contract import Attack, NotApplicable, Scheme, Thief, entering, logits, plain
from benchmark.protocol.parties import stream
from leaderboard.judge.evidence import weigh
from schemes.adi import Adi
from schemes.passport import Passport
from schemes.provenance import Provenance
from schemes.uchida import Uchida, carrier, hits, mean_filter

ALPHA = 1e-3
UCHIDA = Uchida(epochs=3)


@cache
def vit() -> Lab:
    """One whose nets are trained for four epochs."""
    lab = Lab(profile="quick-vit")
    lab.context = replace(lab.context, recipe=replace(lab.context.recipe, epochs=4))
    return lab


def stolen(scheme: Scheme[Any] = UCHIDA) -> tuple[Thief, nn.Module, torch.Tensor]:
    """A thief who has a marked net, a copy of it, and images of the judge."""
    lab = vit()
    service = lab.embed(scheme).service
    thief = Thief(lab.context, lab.splits.thief, stream("transformer"), service.running(), "weights", scheme=scheme)
    return thief, service.net.module(), lab.splits.test.images()[:100]


@pytest.mark.parametrize("scheme", [Adi(epochs=8), UCHIDA, Provenance()], ids=lambda scheme: scheme.name)
def test_a_fresh_mark_is_present_and_an_innocent_net_is_not_accused(scheme: Scheme[Any]) -> None:
    lab = vit()
    marked = lab.embed(scheme)
    assert weigh(lab.observe(scheme, marked), {}, ALPHA).state == "present"
    assert weigh(lab.observe(scheme, lab.null(0), marked.key), {}, ALPHA).state != "present"


def test_bits_lie_in_the_last_linear_layer_but_the_head() -> None:
    key = vit().embed(UCHIDA).key
    assert (key.layer, key.size) == ("blocks.1.fc2", 256)


def test_an_order_of_hidden_units_hides_bits_from_a_court_that_does_not_align() -> None:
    lab = vit()
    marked = lab.embed(UCHIDA)
    moved = lab.attack(Rearrange(), marked, UCHIDA)
    assert torch.equal(moved.right, marked.right)
    seen = lab.observe(UCHIDA, moved, marked.key, marked)["channels"]
    assert seen["bits"]["hits"].count("1") < 100
    assert seen["bits_aligned"]["hits"].count("0") == 0


@pytest.mark.parametrize("how", ["split", "clique", "zero"])
def test_dummy_neurons_change_no_answer_and_the_net_describes_itself(how: Any) -> None:
    thief, net, x = stolen()
    wider = DummyNeurons(how=how).run(thief)
    assert min(wider.spec()["hidden"]) > 256  # type: ignore[operator]
    torch.testing.assert_close(logits(wider, x), logits(net, x), rtol=1e-4, atol=1e-4)


def test_quiet_hidden_units_fall_silent_and_stay_so() -> None:
    thief, _, x = stolen()
    net = FinePruning(amount=0.5, epochs=1).run(thief)
    silent = net.get_parameter("blocks.1.fc1.weight").abs().sum(1) == 0
    assert int(silent.sum()) == 128
    assert not net.get_parameter("blocks.1.fc2.weight")[:, silent].any()
    (hidden,) = entering(net, ["blocks.1.fc2"], x)
    assert not hidden[:, :, silent].any()


@pytest.mark.parametrize(
    "attack",
    [
        Anp(epochs=1), Clp(u=1.0), Nad(epochs=2), WeightShifting(epochs=1),
        Laundering(steps=5, epochs=1), Prune(0.9), Quantize(8, activations=True),
        Merge(epochs=1), Merge(partner="finetuned", epochs=1), Decorrelate(epochs=1),
    ],
    ids=lambda attack: attack.name,
)  # fmt: skip
def test_what_works_on_filters_works_on_those_of_linear_layers(attack: Attack) -> None:
    lab = vit()
    marked = lab.embed(UCHIDA)
    changed = lab.attack_afresh(attack, marked, UCHIDA).service.net.module()
    before = plain(marked.service.net.module()).state_dict()
    after = plain(changed).state_dict()
    rows = [name for name in before if name.endswith(("fc1.weight", "fc2.weight", "qkv.weight", "proj.weight"))]
    if attack.name == "anp":
        assert Masked(marked.service.net.module()).names == [name.removesuffix(".weight") for name in rows]
    else:
        assert not any(torch.equal(before[name], after[name]) for name in rows)


def test_a_mean_filter_is_free_to_take_and_weight_shifting_takes_the_bits_with_it() -> None:
    lab = vit()
    marked = lab.embed(UCHIDA)
    _, net, x = stolen()
    freed = deepcopy(plain(net))
    with torch.no_grad():
        freed.get_parameter(f"{marked.key.layer}.weight").sub_(mean_filter(carrier(freed, marked.key)))
    torch.testing.assert_close(logits(freed, x), logits(net, x), rtol=1e-4, atol=1e-4)
    assert int(hits(net, marked.key).sum()) == UCHIDA.bits
    taken = lab.attack_afresh(WeightShifting(shift=1.0, noise=0.0, lr=0.05, epochs=2), marked, UCHIDA)
    assert int(hits(plain(taken.service.net.module()), marked.key).sum()) < 0.7 * UCHIDA.bits


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (Bnp(), "no batch normalisation"), (SignFlip(), "no normalised convolutions"),
        (Rearrange(how="sign"), "no normalised convolutions"), (Rearrange(how="fold"), "only batch normalisation"),
        (Rearrange(how="scale"), "nothing can be scaled"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_transformer_has_not_got_is_said(attack: Attack, reason: str) -> None:
    with pytest.raises(NotApplicable, match=reason):
        attack.run(stolen()[0])


def test_a_transformer_has_no_place_for_passports() -> None:
    lab = vit()
    with pytest.raises(NotApplicable, match="no normalised convolution"):
        lab.embed_afresh(Passport())
