"""Mixed nets: no share of a partner changes nothing, a strange net is aligned first."""

from __future__ import annotations

from typing import Any

import torch

from attacks.rewriting.merge import Merge, mixed, recalibrated


def test_nets_are_mixed_tensor_by_tensor_and_whole_numbers_are_the_first_ones(lab: Any) -> None:
    nets = [lab.null(index).service.net for index in (100, 101)]
    found = mixed([net.module() for net in nets], [0.7, 0.3]).state_dict()
    for name, tensor in nets[0].state.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(found[name], 0.7 * tensor + 0.3 * nets[1].state[name])
        else:
            assert torch.equal(found[name], tensor)


def test_statistics_are_those_of_the_images(lab: Any) -> None:
    x = lab.splits.thief.images()
    net = recalibrated(lab.null(100).service.net.module(), x)
    first = net.blocks[0]
    entered = first.conv(net.normalise(x))
    torch.testing.assert_close(first.norm.running_mean, entered.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(first.norm.running_var, entered.var((0, 2, 3)), rtol=1e-3, atol=1e-4)
    assert first.norm.momentum == 0.1
    assert not net.training


def test_no_share_of_a_partner_leaves_every_weight(lab: Any) -> None:
    host = lab.null(100)
    same = lab.attack(Merge(share=0.0, epochs=1), host).service.net.state
    for name, _ in host.service.net.module().named_parameters():
        assert torch.equal(same[name], host.service.net.state[name])
