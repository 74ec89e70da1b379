"""The curve's ends are the nets it joins."""

from __future__ import annotations

from typing import Any

import torch

from attacks.repair.mode_connectivity import ModeConnectivity


def test_at_its_first_end_the_curve_is_the_stolen_net(lab: Any) -> None:
    host = lab.null(100)
    start = lab.attack(ModeConnectivity(t=0.0, epochs=1), host).service.net.state
    inside = lab.attack(ModeConnectivity(t=0.1, epochs=1), host).service.net.state
    learnt = dict(host.service.net.module().named_parameters())
    for name, tensor in host.service.net.state.items():
        if name not in learnt:
            continue  # statistics are taken anew
        assert torch.equal(start[name], tensor)
        assert not torch.equal(inside[name], tensor)
