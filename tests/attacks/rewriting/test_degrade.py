"""Noise as large as its loss allows."""

from __future__ import annotations

from typing import Any

import torch

from attacks.rewriting.degrade import Degrade
from benchmark.contract import logits


def agreement(lab: Any, one: Any, other: Any) -> float:
    x = lab.splits.thief.images()
    answers = [logits(each.service.net.module(), x).argmax(1) for each in (one, other)]
    return float((answers[0] == answers[1]).float().mean())


def distance(one: Any, other: Any) -> float:
    """Of the heads, relative to the first."""
    first, second = (each.service.net.state["head.weight"] for each in (one, other))
    return float((second - first).norm() / first.norm())


def test_noise_costs_what_it_may_and_no_more(lab: Any) -> None:
    host = lab.null(100)
    nets = {loss: lab.attack(Degrade(loss), host) for loss in (0.0, 0.02, 0.1)}
    for loss, net in nets.items():
        assert agreement(lab, host, net) >= 1 - loss
    assert agreement(lab, host, nets[0.1]) < 0.98
    strengths = [distance(host, net) for net in nets.values()]
    assert 0 < strengths[0] < strengths[1] < strengths[2]
    again = lab.attack_afresh(Degrade(0.02), host)
    assert torch.equal(again.service.net.state["head.weight"], nets[0.02].service.net.state["head.weight"])
