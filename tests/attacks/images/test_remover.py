"""A remover learns to leave an extractor nothing: the thief's own, or the owner's where he is given it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.images.proxy_remover import Remover
from attacks.images.remover import GuidedRemover, remover_of
from benchmark.contract import Thief, as_bytes, as_float
from benchmark.protocol.parties import stream
from schemes.deepmodel import DeepModel
from schemes.deepmodel_bits import DeepModelBits

BITS = DeepModelBits(epochs=4)


def stamp(images: torch.Tensor) -> torch.Tensor:
    """Images with a checkerboard in them, which `read` finds."""
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 0.1 - 0.05
    return (images + board).clamp(0, 1)


def read(_: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """How much of the checkerboard is in the images, (N,): 1 is all of it."""
    return (stamp(torch.zeros_like(answers) + 0.5) - 0.5).mul(answers).mean((1, 2, 3)) / 0.05**2


@pytest.mark.parametrize("weight", [0.0, 0.01])
def test_a_mark_goes_the_image_stays_and_the_extractor_decides_how_far(image_lab: Any, weight: float) -> None:
    """Without the extractor's word a remover that is to keep the marked images keeps the mark."""
    thief = Thief(image_lab.context, image_lab.splits.thief, stream("remover"), None, "none")
    marked = as_bytes(stamp(thief.data.y.float() / 255))
    remover = remover_of(thief, thief.inputs, marked, marked, read, weight, 6)
    clean = as_float(image_lab.splits.test.y)
    before = stamp(clean)
    with torch.no_grad():
        after = remover(before)
    assert (after - before).square().mean() < 2 * 0.05**2
    found = float((read(clean, after) - read(clean, clean)).mean())
    assert (found < 0.2) == bool(weight)
    assert found < 1.2


def test_an_extractor_reads_the_mark_where_it_is_and_nothing_where_it_isn_t(image_lab: Any) -> None:
    x = image_lab.splits.test.images()
    marked = image_lab.embed(BITS)
    reads = BITS.extractor(marked.key, torch.device("cpu"))
    answers = marked.service.running().ask(x, "outputs")
    host = image_lab.null(100).service.running().ask(x, "outputs").clamp(0, 1)
    with torch.no_grad():
        assert reads(x, answers).abs().mean() > 3 * reads(x, host).abs().mean()


def test_whoever_is_given_the_extractor_leaves_it_less_than_half(image_lab: Any) -> None:
    """And images that are no worse. The signs of what is left still tell bits."""
    marked = image_lab.embed(BITS)
    stolen = image_lab.attack(GuidedRemover(), marked, BITS)
    assert stolen.cost.record()["queries"] == 512
    x = image_lab.splits.test.images()
    reads = BITS.extractor(marked.key, torch.device("cpu"))
    with torch.no_grad():
        before, after = (reads(x, one.service.running().ask(x, "outputs")).abs().mean() for one in (marked, stolen))
    assert after < before / 2
    assert image_lab.total(image_lab.observe(BITS, stolen, marked.key)) < image_lab.total(
        image_lab.observe(BITS, marked)
    )
    assert stolen.accuracy > marked.accuracy - 0.2  # dB


def test_the_thief_marks_images_of_his_own_and_asks_the_service_nothing(image_lab: Any) -> None:
    short = DeepModel(adversarial=False, epochs=1)
    stolen = image_lab.attack(Remover(images=64, epochs=2), image_lab.null(0), short)
    cost = stolen.cost.record()
    assert (cost["queries"], cost["labelled"], cost["unlabelled"]) == (0, 0, 512)
    (stage,) = stolen.service.answer_filters
    assert stage.spec["builder"] == "unet"
    assert abs(stolen.accuracy - image_lab.null(0).accuracy) < 1.5  # dB
