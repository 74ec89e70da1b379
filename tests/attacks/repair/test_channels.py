"""Channels that are silenced, and the channels that stand out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.repair.channel_statistics import Bnp, Clp, sensitivity
from attacks.repair.channels import silenced, strongest, writers
from benchmark.contract import Net, NotApplicable, Party, Thief, logits
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import stream

LAYERS = ["blocks.0.norm", "blocks.1.norm", "blocks.2.norm"]


def holder(lab: Any, net: Net) -> Thief:
    return Thief(lab.context, lab.splits.thief, stream("channels"), Service(net).running(), "weights")


def gone(net: torch.nn.Module) -> dict[str, list[int]]:
    """By layer, the channels that answer nothing."""
    found = {name: net.get_submodule(name) for name in writers(net)}
    return {
        name: one.nonzero().flatten().tolist()
        for name, layer in found.items()
        if (one := (layer.weight == 0) & (layer.bias == 0)).any()
    }


def test_channels_are_written_by_the_normalisation_or_by_the_convolution_itself(lab: Any) -> None:
    party = Party(lab.context, lab.splits.owner, stream("writers"))
    assert writers(party.build("convnet")) == LAYERS
    assert writers(party.build("lenet")) == ["convs.0", "convs.1"]


def test_silenced_channels_answer_nothing_and_the_net_itself_stays(lab: Any) -> None:
    net = lab.null(100).service.net.module()
    chosen = {name: torch.arange(len(net.get_submodule(name).weight)) < 2 for name in LAYERS}
    assert gone(silenced(net, chosen)) == {name: [0, 1] for name in LAYERS}
    assert gone(net) == {}
    entered = silenced(net, chosen, shifts=False).blocks[0]
    assert torch.equal(entered.norm.bias, net.blocks[0].norm.bias)


def test_the_strongest_of_those_that_answer_alike_is_taken(lab: Any) -> None:
    net, x = lab.null(100).service.net.module(), lab.splits.thief.images()
    order = net.blocks[2].norm.weight.abs().argsort()
    choices = [{LAYERS[2]: torch.isin(torch.arange(64), order[:count])} for count in (0, 4, 60, 64)]
    found = strongest(net, choices, x)
    cut = [silenced(net, one) for one in choices]
    alike = [float((logits(one, x).argmax(1) == logits(net, x).argmax(1)).float().mean()) for one in cut]
    assert alike[1] >= 0.98 > alike[2]
    assert gone(found) == gone(cut[1])
    assert strongest(net, choices[2:], x) is net


def test_a_threshold_that_nothing_passes_changes_nothing(lab: Any) -> None:
    host = lab.null(100).service.net
    same = Net.of(Clp(10.0).run(holder(lab, host)))
    assert all(torch.equal(tensor, same.state[name]) for name, tensor in host.state.items())


def test_the_channel_that_reacts_most_is_found_without_images(lab: Any) -> None:
    net = lab.null(100).service.net.module()
    with torch.no_grad():
        net.blocks[1].conv.weight[7] *= 20
    assert int(sensitivity(net)[LAYERS[1]].argmax()) == 7
    thief = holder(lab, Net.of(net))
    assert gone(Clp().run(thief))[LAYERS[1]] == [7]
    assert (thief.cost.labelled, thief.cost.unlabelled, thief.cost.queries) == (0, 0, 0)


def test_what_normalisation_remembers_and_the_task_does_not_show_is_found(lab: Any) -> None:
    net = lab.null(100).service.net.module()
    norm = net.blocks[2].norm
    norm.running_mean[5] += 30 * norm.running_var[5].sqrt()
    thief = holder(lab, Net.of(net))
    assert gone(Bnp().run(thief))[LAYERS[2]] == [5]
    assert (thief.cost.labelled, thief.cost.queries) == (0, 0)
    party = Party(lab.context, lab.splits.owner, stream("lenet"))
    with pytest.raises(NotApplicable, match="no batch normalisation"):
        Bnp().run(holder(lab, Net.of(party.build("lenet"))))
