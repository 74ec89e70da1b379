"""A mask begins as no change, and what it leaves out is chosen by images that trained none."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.repair.neuron_masks import Anp, Masked
from benchmark.contract import Thief
from benchmark.protocol.parties import stream


@pytest.mark.parametrize("architecture", ["convnet", "lenet"])
def test_whole_masks_without_noise_change_no_answer(lab: Any, architecture: str) -> None:
    net = Thief(lab.context, lab.splits.thief, stream("masks"), None, "none").build(architecture).eval()
    x = lab.splits.test.images()[:50]
    masked = Masked(net)
    still = [torch.zeros_like(one) for one in (*masked.masks, *masked.masks)]
    for noise in ((), still):
        assert torch.equal(masked(x, noise), net(x))


def test_a_mask_of_0_silences_a_scale_and_noise_moves_shifts_too(lab: Any) -> None:
    masked, other = (lab.null(100).service.net.module() for _ in range(2))
    masked, x = Masked(masked), lab.splits.test.images()[:50]
    with torch.no_grad():
        masked.masks[1][3] = 0
        other.blocks[1].norm.weight[3] = 0
        torch.testing.assert_close(masked(x), other(x))
        noise = [torch.zeros_like(one) for one in (*masked.masks, *masked.masks)]
        noise[len(masked.masks)][0] = 1.0  # the first shift is twice as large
        other.blocks[0].norm.bias[0] *= 2
        torch.testing.assert_close(masked(x, noise), other(x))


def test_an_unmarked_net_keeps_its_use_and_loses_scales_alone(lab: Any) -> None:
    host = lab.null(100)
    net = lab.attack(Anp(epochs=2), host)
    assert net.accuracy > host.accuracy - 0.04
    scales = {name for name in net.service.net.state if name.endswith("norm.weight")}
    for name, tensor in host.service.net.state.items():  # nothing but scales goes
        after = net.service.net.state[name]
        changed = after != tensor
        assert not changed.any() or (name in scales and bool((after[changed] == 0).all()))
