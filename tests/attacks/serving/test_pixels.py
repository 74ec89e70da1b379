"""Filters of pixels: what each does to an image, nothing at strength 0, and where it is put."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from attacks.serving.jpeg import Jpeg
from attacks.serving.pixels import (
    AddedNoise,
    BitDepth,
    FewerLevels,
    GaussianBlur,
    Mirror,
    Mirrored,
    Noise,
    Smooth,
)
from benchmark.contract import Draws, Net, as_bytes
from benchmark.protocol.draws import seeds_of
from benchmark.protocol.parties import stream


def images(channels: int = 3) -> Tensor:
    """Eight-bit images (6, channels, 16, 16) in [0, 1]."""
    return as_bytes(torch.rand(6, channels, 16, 16, generator=stream("pixels"))).float() / 255


def test_the_noise_has_its_spread_and_comes_back_with_its_image() -> None:
    grey = torch.full((4, 3, 32, 32), 0.5) + torch.arange(4).view(4, 1, 1, 1) / 255
    noisy = Net.of(AddedNoise(0.1)).module()
    found = noisy(grey, Draws(seeds_of(grey))) - grey
    assert abs(float(found.std()) - 0.1) < 0.005
    assert not torch.equal(found[0], found[1])
    assert torch.equal(noisy(grey[2:], Draws(seeds_of(grey[2:]))) - grey[2:], found[2:])


def test_the_kernel_is_gaussian_and_keeps_what_is_even() -> None:
    spot = torch.zeros(1, 3, 7, 7)
    spot[..., 3, 3] = 1
    spread = Net.of(GaussianBlur(0.7)).module()(spot)[0, 1, 2:5, 2:5]
    assert spread.sum() == pytest.approx(1)
    assert spread[1, 0] / spread[1, 1] == pytest.approx(torch.tensor(-0.5 / 0.49).exp().item())
    assert spread[0, 0] / spread[1, 1] == pytest.approx(torch.tensor(-1 / 0.49).exp().item())
    torch.testing.assert_close(GaussianBlur(0.7)(torch.full((1, 3, 7, 7), 0.3)), torch.full((1, 3, 7, 7), 0.3))


def test_few_levels_are_left_and_each_is_the_nearest() -> None:
    x = images()
    found = Net.of(FewerLevels(4)).module()(x)
    assert sorted(found.unique().tolist()) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert (found - x).abs().max() <= 1 / 6 + 1e-6


def test_at_strength_nothing_every_filter_leaves_the_images_alone() -> None:
    x = images()
    assert torch.equal(AddedNoise(0.0)(x, Draws(seeds_of(x))), x)
    for stage in (GaussianBlur(0.01), FewerLevels(256)):
        torch.testing.assert_close(stage(x), x)
    assert torch.equal(Mirrored()(Mirrored()(x)), x)
    assert torch.equal(Mirrored()(x)[..., 0], x[..., -1])


@pytest.mark.parametrize("attack", [Noise(), Smooth(), BitDepth(), Jpeg()], ids=lambda one: one.name)
def test_a_classifier_s_queries_are_filtered_and_what_an_image_service_sends(
    lab: Any, image_lab: Any, attack: Any
) -> None:
    asked = lab.attack(attack, lab.null(0)).service
    assert (len(asked.filters), len(asked.answer_filters)) == (1, 0)
    before = image_lab.null(0).service
    sent = image_lab.attack(attack, image_lab.null(0)).service
    assert (len(sent.filters), len(sent.answer_filters)) == (0, 1)
    x = image_lab.splits.test.images()[:4]
    plain, changed = before.running().ask(x, "outputs"), sent.running().ask(x, "outputs")
    assert changed.shape == plain.shape
    assert 0.002 < float((changed - plain.clamp(0, 1)).abs().mean()) < 0.1


def test_a_query_is_mirrored_and_an_image_that_is_sent_is_mirrored_back(lab: Any, image_lab: Any) -> None:
    x = lab.splits.test.images()
    asked = lab.attack(Mirror(), lab.null(0)).service.running()
    assert torch.equal(asked.ask(x, "outputs"), lab.null(0).service.running().ask(x.flip(3), "outputs"))
    service = image_lab.null(0)
    mirrored = image_lab.attack(Mirror(), service)
    x = image_lab.splits.test.images()
    wanted = service.service.running().ask(x.flip(3), "outputs").flip(3)
    assert torch.equal(mirrored.service.running().ask(x, "outputs"), wanted)
    assert abs(mirrored.accuracy - service.accuracy) < 0.2  # dB
