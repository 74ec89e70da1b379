"""Knockoffs: pictures of three sources, and what a surrogate learns from a service's answers to them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.copies.knockoff import Knockoff, foreign, patches
from benchmark.contract import NotApplicable
from benchmark.protocol.parties import stream


@pytest.mark.parametrize("source", ["photographs", "abstract", "shapes"])
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 32, 32)], ids=["grey", "colour"])
def test_pictures_have_the_form_of_the_task_and_differ(source: str, shape: tuple[int, int, int]) -> None:
    found = foreign(source, 30, shape, stream("foreign"))
    assert found.dtype == torch.uint8
    assert found.shape == (30, *shape)
    assert len(found.flatten(1).unique(dim=0)) == 30
    assert torch.equal(found, foreign(source, 30, shape, stream("foreign")))


def test_patches_are_of_all_sizes_and_both_photographs(monkeypatch: Any) -> None:
    ramp = torch.arange(427 * 640).view(1, 427, 640, 1).expand(2, -1, -1, 1) % 640 // 3
    two = torch.cat([ramp[:1] * 0, ramp[1:] // 2 + 20]).to(torch.uint8)
    monkeypatch.setattr("benchmark.contract.photographs", lambda channels: two)
    found = patches(200, (1, 16, 16), stream("patches"))
    spans = (found.float().amax((1, 2, 3)) - found.float().amin((1, 2, 3)))[found.float().mean((1, 2, 3)) > 0]
    assert 60 < len(spans) < 140
    assert spans.max() > 4 * spans.min().clamp_min(1)


def test_pictures_of_two_channels_are_cut_from_no_photograph() -> None:
    with pytest.raises(NotApplicable, match="grey or in colour, the task's images have 2 channels"):
        foreign("photographs", 1, (2, 16, 16), stream("foreign"))


def test_the_surrogate_learns_the_task_without_an_image_of_it(lab: Any) -> None:
    stolen = lab.attack(Knockoff(), lab.null(0))
    cost = stolen.cost.record()
    assert (cost["labelled"], cost["unlabelled"], cost["queries"]) == (0, 0, 3000)
    assert stolen.accuracy > 0.4
