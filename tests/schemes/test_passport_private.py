"""V2 and V3: a plain net ships, the passports' branch stays in the key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmark.contract import Net, NotApplicable, entering
from benchmark.protocol.parties import Unreadable, stream
from schemes.passport import Passport
from schemes.passport_net import PassportBlock, measured, private_branch, statistics

V2 = Passport(version="v2")
V3 = Passport(version="v3")
GROUP = Passport(version="v2", norm="group", epochs=20)


def hits(observation: dict[str, Any], channel: str = "bits") -> int:
    return int(observation["channels"][channel]["hits"].count("1"))


def right(observation: dict[str, Any], side: str) -> float:
    outcomes = observation["gates"]["fidelity"][side]
    return float(outcomes.count("1") / len(outcomes))


@pytest.mark.parametrize("scheme", [V2, replace(V2, recipe="signed"), V3, GROUP], ids=["v2", "signed", "v3", "group"])
def test_both_branches_do_the_task_and_the_private_one_holds_the_bits(lab: Any, scheme: Passport) -> None:
    marked = lab.embed(scheme)
    seen = lab.observe(scheme, marked)
    assert hits(seen) == 96
    assert right(seen, "before") == pytest.approx(marked.accuracy, abs=1e-6)
    assert marked.accuracy > 0.95
    assert right(seen, "after") > 0.95
    assert 30 <= hits(seen, "carried_bits") <= 66  # the scales that ship were never asked for any sign


@pytest.mark.parametrize("scheme", [V2, V3, GROUP], ids=["v2", "v3", "group"])
def test_what_ships_is_a_plain_net_without_a_passport(lab: Any, scheme: Passport) -> None:
    marked = lab.embed(scheme)
    net = marked.service.net.module()
    assert marked.service.net.spec == {**lab.null(0).service.net.spec, "norm": "group" if scheme is GROUP else "batch"}
    kept = [*marked.key.p_gamma, *marked.key.p_beta, *marked.key.statistics]
    for secret in kept:
        assert not any(t.shape == secret.shape and torch.equal(t, secret) for t in net.state_dict().values())
    with pytest.raises(NotApplicable, match="ships no passports: they stay with the owner"):
        scheme.passports(net)


def test_the_private_branch_needs_statistics_of_its_own(lab: Any) -> None:
    """Its accuracy falls when the plain net's statistics are put in their place; group normalisation has none."""
    marked = lab.embed(V2)
    assert len(marked.key.statistics) == 1
    plain = V2.install(marked.service.net.module(), replace(marked.key, statistics=()))
    borrowed = replace(marked.key, statistics=statistics(plain))
    own, theirs = (right(lab.observe(V2, marked, key), "after") for key in (marked.key, borrowed))
    assert theirs < own - 0.02
    assert lab.embed(GROUP).key.statistics == ()


def test_measured_statistics_are_nearly_those_of_training(lab: Any) -> None:
    marked = lab.embed(V2)
    key = V2.calibrated(marked.key, marked.service.net.module(), lab.owner(V2))
    assert abs(right(lab.observe(V2, marked, key), "after") - right(lab.observe(V2, marked), "after")) < 0.02
    v1 = lab.embed(Passport())
    assert Passport().calibrated(v1.key, v1.service.net.module(), lab.owner(Passport())) is v1.key


def test_both_branches_share_every_weight_and_no_statistics(lab: Any) -> None:
    public = lab.null(0).service.net.module()
    key = lab.embed(V2).key
    private = private_branch(public, dict(zip(key.layers, key.passports, strict=True)))
    shared = {id(parameter) for parameter in public.parameters()}
    assert {id(parameter) for parameter in private.parameters()} < shared
    assert len(shared) - len(list(private.parameters())) == 4  # scale and shift of the two passport layers
    before, (own,) = Net.of(public), statistics(private)
    private.train()(lab.splits.test.images()[:32])
    assert all(torch.equal(tensor, public.state_dict()[name]) for name, tensor in before.state.items())
    assert not torch.equal(own, statistics(private)[0])


def test_measured_statistics_are_the_mean_and_variance_of_what_is_normalised(lab: Any) -> None:
    marked = lab.embed(V2)
    net = V2.install(marked.service.net.module(), marked.key)
    x = lab.splits.test.images()[:100]
    (found,) = measured(net, x)  # of the last of three: nothing before it differs from the plain net's
    block = net.host.get_submodule("blocks.2")
    assert isinstance(block, PassportBlock)
    (inputs,) = entering(net, ["host.blocks.2"], x)
    normalised = block.conv(inputs)
    torch.testing.assert_close(found[0], normalised.mean((0, 2, 3)))
    torch.testing.assert_close(found[1], normalised.var((0, 2, 3)))
    assert torch.equal(statistics(net)[0], marked.key.statistics[0])  # the net itself is untouched


def test_statistics_of_another_net_are_unreadable(lab: Any) -> None:
    marked = lab.embed(V2)
    more = replace(marked.key, statistics=marked.key.statistics * 2)
    with pytest.raises(Unreadable, match="statistics of 2 normalisations, the net has 1"):
        V2.install(marked.service.net.module(), more)
    broken = replace(marked.key, statistics=tuple(-one for one in marked.key.statistics))
    assert "positive variances" in str(V2.admissible(broken).reason)
    assert "V1 ships its only branch" in str(Passport().admissible(marked.key).reason)


def test_triggers_are_learnt_by_the_net_that_ships_and_are_a_channel_beside_the_bits(lab: Any) -> None:
    marked = lab.embed(V3)
    seen = lab.observe(V3, marked)
    assert seen["evidence"] == "bits"
    assert hits(seen, "triggers") >= 90
    assert seen["channels"]["triggers"]["law"] == {"kind": "binomial", "p": 0.1}
    assert hits(lab.observe(V3, lab.null(0), marked.key), "triggers") < 30
    assert "triggers" not in lab.observe(V2, lab.embed(V2))["channels"]


def test_labels_of_triggers_follow_from_the_secret(lab: Any) -> None:
    key = lab.embed(V3).key
    assert V3.admissible(key).bound
    turned = replace(key, labels=(key.labels + 1) % 10)
    assert V3.admissible(turned).reason == "the triggers' labels don't follow from the secret"
    fresh = V3.redraw(key, stream("fresh"))
    assert torch.equal(fresh.triggers, key.triggers)
    assert not torch.equal(fresh.labels, key.labels)
    assert V3.admissible(fresh).bound
