"""Averages: a pattern that is in every answer is found, taken out, and carried to an innocent net."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attacks.copies.scratch import trained
from attacks.images.average import Average, AverageAdded, mean_residual
from benchmark.contract import NotApplicable, Thief, as_float
from benchmark.protocol.objects import Running
from benchmark.protocol.parties import stream

PATTERN = 0.08 * torch.randn(3, 32, 32, generator=stream("pattern")).sign()
PATTERN -= PATTERN.mean((1, 2), keepdim=True)


class Stamped(nn.Module):
    """What the service restores, with the same pattern in all of it."""

    def __init__(self, restore: nn.Module) -> None:
        super().__init__()
        self.restore = restore

    def forward(self, x: Tensor) -> Tensor:
        return (0.1 + 0.8 * self.restore(x)).clamp(0.05, 0.95) + PATTERN


def thief(lab: Any) -> Thief:
    service = Running(Stamped(lab.null(0).service.net.module()))
    return Thief(lab.context, lab.splits.thief, stream("average"), service, "outputs")


def left(pattern: Tensor) -> float:
    """The share of the stamped pattern's energy that `pattern` misses."""
    return float((pattern - PATTERN).square().sum() / PATTERN.square().sum())


def test_the_more_images_the_closer_the_mean_is_to_the_pattern(image_lab: Any) -> None:
    missed = [left(mean_residual(thief(image_lab), n)) for n in (5, 50, 500)]
    assert missed == sorted(missed, reverse=True)
    assert missed[-1] < 0.1


def test_it_is_taken_out_of_every_answer_and_at_strength_nothing_none_is(image_lab: Any) -> None:
    one = thief(image_lab)
    (stage,) = Average(strength=2.0).run(one).answer_filters
    assert one.cost.record()["queries"] == 500
    assert one.cost.record()["steps"] == 0
    x = as_float(image_lab.splits.test.y)
    wanted = x - 2 * mean_residual(thief(image_lab), 500)
    torch.testing.assert_close(stage(x), wanted.clamp(0, 1))
    (nothing,) = Average(strength=0.0).run(thief(image_lab)).answer_filters
    assert torch.equal(nothing(x), x)


def test_an_innocent_net_gets_the_pattern_and_nothing_else_of_the_service(image_lab: Any) -> None:
    result = AverageAdded(strength=1.5, epochs=1).run(thief(image_lab))
    assert result.model is not None
    (stage,) = result.answer_filters
    grey = torch.full((1, 3, 32, 32), 0.5)
    torch.testing.assert_close((stage(grey) - grey)[0], 1.5 * mean_residual(thief(image_lab), 500))
    same = Thief(image_lab.context, image_lab.splits.thief, stream("average"), None, "none")
    wanted = trained(same, same.data, 64).state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in result.model.state_dict().items())


def test_a_service_of_labels_has_no_images_to_average(lab: Any) -> None:
    with pytest.raises(NotApplicable, match="grants labels"):
        Average().run(Thief(lab.context, lab.splits.thief, stream("average"), None, "labels"))
