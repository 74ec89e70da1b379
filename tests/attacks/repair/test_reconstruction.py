"""A net forgets the task before it is mended, and what is silenced are scales that the task can spare."""

from __future__ import annotations

from typing import Any

import torch

from attacks.repair.reconstruction import UNLEARNT, Rnp
from benchmark.contract import Thief
from benchmark.protocol.parties import stream
from benchmark.training.loop import logits


def test_the_copy_unlearns_the_task_and_the_stolen_net_stays_what_it_was(lab: Any) -> None:
    one = Thief(lab.context, lab.splits.thief, stream("rnp"), lab.null(100).service.running(), "weights")
    model, data = one.model, one.annotated
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    forgetful = Rnp().unlearnt(one, model, data)
    assert (logits(forgetful, data.images()).argmax(1) == data.y).float().mean() <= UNLEARNT / 10
    assert one.meter.steps < 20 * (len(data) // one.recipe().batch)  # it stopped as soon as it was there
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_an_unmarked_net_keeps_its_use_and_loses_scales_alone(lab: Any) -> None:
    host = lab.null(100)
    net = lab.attack(Rnp(), host)
    assert net.accuracy > host.accuracy - 0.04
    scales = {name for name in net.service.net.state if name.endswith("norm.weight")}
    for name, tensor in host.service.net.state.items():
        after = net.service.net.state[name]
        changed = after != tensor
        assert not changed.any() or (name in scales and bool((after[changed] == 0).all()))
