"""PSNR and SSIM: against their definitions, written out pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmark.data.splits import as_float, load
from benchmark.data.tasks import find_task
from benchmark.training.image_quality import psnr, quality, ssim

WEIGHT = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
WEIGHT = np.outer(WEIGHT, WEIGHT) / WEIGHT.sum() ** 2


def ssim_as_defined(x, y):
    """Wang et al. 2004, equations 13 to 17, at every place of the window in one grey image."""
    found = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = (one[top : top + 11, left : left + 11] for one in (x, y))
            mean_a, mean_b = (WEIGHT * a).sum(), (WEIGHT * b).sum()
            var_a, var_b = (WEIGHT * (a - mean_a) ** 2).sum(), (WEIGHT * (b - mean_b) ** 2).sum()
            both = (WEIGHT * (a - mean_a) * (b - mean_b)).sum()
            above = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
            found.append(above / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))
    return np.mean(found)


@pytest.fixture(scope="module")
def pairs():
    test = load(find_task("derain")).test
    return as_float(test.x)[:4], as_float(test.y)[:4]


def test_ssim_follows_its_definition_on_real_images(pairs):
    x, y = (one.double().numpy() for one in pairs)
    wanted = [
        np.mean([ssim_as_defined(*colours) for colours in zip(*one, strict=True)]) for one in zip(x, y, strict=True)
    ]
    assert ssim(*pairs).tolist() == pytest.approx(wanted, abs=1e-9)
    assert max(wanted) > min(wanted) + 0.5


def test_equal_images_have_ssim_1_and_the_highest_psnr(pairs):
    assert ssim(pairs[1], pairs[1]).tolist() == pytest.approx([1.0] * 4, abs=1e-12)
    assert psnr(pairs[1], pairs[1]).tolist() == [100.0] * 4


def test_psnr_follows_its_definition(pairs):
    x, y = (one.double().numpy() for one in pairs)
    assert psnr(*pairs).tolist() == pytest.approx(
        [-10 * math.log10(((a - b) ** 2).mean()) for a, b in zip(x, y, strict=True)], rel=1e-5
    )


def test_a_brighter_picture_keeps_its_structure_where_noise_of_equal_psnr_does_not(pairs):
    clean = 0.8 * pairs[1]
    noise = 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).sign()
    brighter, noisy = quality(clean + 0.1, clean), quality((clean + noise).abs(), clean)
    assert np.mean(brighter["ssim"]) > np.mean(noisy["ssim"]) + 0.2
    assert np.mean(brighter["psnr"]) == pytest.approx(np.mean(noisy["psnr"]), abs=1)


def test_images_smaller_than_the_window_have_one_place_for_it():
    small = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert ssim(small, small).tolist() == pytest.approx([1.0, 1.0])
    assert (ssim(small, 1 - small) < 0).all()
