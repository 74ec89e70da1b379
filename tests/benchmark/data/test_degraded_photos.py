"""The image-to-image tasks: real crops, disjoint by where they lie, and worth restoring."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from benchmark.architectures.image_to_image import UNetTrunk
from benchmark.architectures.net import Net, build
from benchmark.data.degraded_photos import STRIPS
from benchmark.data.photographs import photographs
from benchmark.data.splits import as_float, load
from benchmark.data.tasks import find_task
from benchmark.training.image_quality import psnr

TASKS = ("derain", "denoise")


@pytest.mark.parametrize("name", TASKS)
def test_splits_are_pairs_of_images_and_the_same_every_time(name):
    task = find_task(name)
    splits, again = load(task), load(task)
    for part, other, count in zip(vars(splits).values(), vars(again).values(), (512, 512, 64), strict=True):
        assert part.x.shape == part.y.shape == (count, *task.shape)
        assert part.x.dtype == part.y.dtype == torch.uint8
        assert torch.equal(part.x, other.x)
        assert torch.equal(part.y, other.y)
    assert not torch.equal(splits.owner.x, splits.owner.y)


def test_each_party_has_its_own_strip_of_each_photograph():
    """Crops stand in their party's strip, and in no other."""
    splits = load(find_task("derain"))
    for half, photograph in enumerate(photographs(3).permute(0, 3, 1, 2)):
        edges = [round(edge * photograph.shape[2]) for edge in STRIPS]
        strips = [photograph[:, :, left:right] for left, right in pairwise(edges)]
        for party, part in enumerate((splits.owner, splits.thief, splits.test)):
            for crop in part.y[half * len(part) // 2 :][:5]:
                assert [found_in(strip, crop) for strip in strips] == [number == party for number in range(3)]


def found_in(picture, crop):
    """Whether `crop` (C, H, W) stands somewhere in `picture`; only where the first two columns fit is the rest read."""
    size = crop.shape[1]
    columns = picture.unfold(1, size, 1)  # (C, tops, width, H)
    places = (columns == crop[:, None, None, :, 0]).all(3).all(0)[:, : picture.shape[2] - size + 1].nonzero().tolist()
    return any(torch.equal(picture[:, y : y + size, x : x + size], crop) for y, x in places)


def test_test_crops_do_not_overlap():
    """They are cells of one grid, each taken once: their places differ by whole crops."""
    size = find_task("derain").shape[1]
    test = load(find_task("derain")).test
    for half, photograph in enumerate(photographs(3).permute(0, 3, 1, 2)):
        left = round(STRIPS[2] * photograph.shape[2])
        grid = photograph[:, :, left:].unfold(1, size, size).unfold(2, size, size).flatten(1, 2).transpose(0, 1)
        cells = [int((grid == crop).flatten(1).all(1).nonzero()) for crop in test.y[half * 32 :][:32]]
        assert len(set(cells)) == len(cells) == 32


@pytest.mark.parametrize("name", TASKS)
def test_there_is_much_to_restore(name):
    test = load(find_task(name)).test
    assert 15 < psnr(as_float(test.x), as_float(test.y)).mean() < 20


def test_rain_brightens_and_noise_goes_both_ways():
    rainy, noisy = (load(find_task(name)).owner for name in TASKS)
    assert (rainy.x >= rainy.y).all()
    assert ((noisy.x < noisy.y).float().mean() - 0.45).abs() < 0.1


@pytest.mark.parametrize(
    "spec",
    [
        {"builder": "unet", "channels": 3},
        {"builder": "plain", "channels": 3, "width": 8, "layers": 4},
        {"builder": "residual", "channels": 1, "width": 8, "blocks": 2},
    ],
)
def test_nets_start_as_the_identity_and_rebuild_from_their_spec(spec):
    net = build(spec).eval()
    x = torch.rand(2, spec["channels"], 32, 32)
    assert torch.equal(net(x), x)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    again = Net.of(net).module()
    assert torch.equal(again(x), net(x))
    assert again.spec() == net.spec()
    assert spec.items() <= net.spec().items()


def test_the_trunk_may_have_other_channels_than_its_input():
    assert UNetTrunk(4, 3, 8)(torch.rand(2, 4, 32, 32)).shape == (2, 3, 32, 32)
