"""The thief's autoencoder draws images of the task well and others badly; what it can't draw gets another's answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from attacks.serving.purify import Purify, PurifyAndReject, squared_error
from benchmark.contract import Draws, NotApplicable, Thief, abstract_images, as_float
from benchmark.protocol.draws import seeds_of
from benchmark.protocol.parties import stream
from schemes.adi import Adi

ADI = Adi()


def strangers() -> torch.Tensor:
    return as_float(abstract_images(60, (1, 16, 16), stream("strangers")))


@pytest.fixture(scope="module")
def purified(lab: Any) -> Any:
    return lab.attack(Purify(), lab.embed(ADI), ADI)


@pytest.fixture(scope="module")
def rejected(lab: Any) -> Any:
    return lab.attack(PurifyAndReject(false_rejects=0.05), lab.embed(ADI), ADI)


def test_it_draws_digits_it_never_saw_and_no_strangers(lab: Any, purified: Any) -> None:
    draw = purified.service.filters[0].module()
    x = lab.splits.test.images()
    with torch.no_grad():
        digits, others = (squared_error(draw(each), each) for each in (x, strangers()))
    assert digits.mean() < 0.15 * x.var()
    assert others.median() > 3 * digits.mean()


def test_triggers_that_are_no_digits_are_gone_and_the_thief_paid_no_label(lab: Any, purified: Any) -> None:
    marked = lab.embed(ADI)
    assert lab.total(lab.observe(ADI, marked)) > 90
    assert lab.total(lab.observe(ADI, purified, marked.key)) < 25  # P(Bin(100, 1/10) >= 25) = 1e-5
    assert purified.accuracy > marked.accuracy - 0.05
    cost = purified.cost.record()
    assert (cost["labelled"], cost["queries"], cost["unlabelled"]) == (0, 0, 400)


def test_few_ordinary_queries_are_rejected_and_most_strangers(lab: Any, rejected: Any) -> None:
    (stage,) = (one.module() for one in rejected.service.filters)
    x, stand_ins = lab.splits.test.images(), as_float(stage.stand_ins)

    def turned_away(images: torch.Tensor) -> float:
        with torch.no_grad():
            found = stage(images, Draws(seeds_of(images)))
        return float((found[:, None] == stand_ins).flatten(2).all(2).any(1).float().mean())

    assert turned_away(x) < 0.12
    assert turned_away(strangers()) > 0.8


def test_who_asks_again_gets_the_same_answer_and_other_images_other_ones(rejected: Any) -> None:
    x = strangers()
    running = rejected.service.running()
    before = running.ask(x, "labels")
    assert torch.equal(running.ask(x[20:40], "labels"), before[20:40])
    assert len(before.unique()) > 5


def test_nothing_is_rejected_at_no_false_rejects(lab: Any) -> None:
    purifier = lab.attack(PurifyAndReject(false_rejects=0.0, epochs=5), lab.null(0)).service.filters[0].module()
    x = lab.splits.thief.images()
    with torch.no_grad():
        drawn = purifier.autoencoder(x)
        kept = squared_error(drawn, x) <= purifier.threshold
        torch.testing.assert_close(purifier(x, Draws(seeds_of(x)))[kept], drawn[kept])
    assert kept.float().mean() > 0.95


def test_odd_sizes_are_refused(lab: Any) -> None:
    context = replace(lab.context, task=replace(lab.context.task, shape=(1, 18, 16)))
    with pytest.raises(NotApplicable, match="a multiple of 4 pixels, not 18x16"):
        Purify().run(Thief(context, lab.splits.thief, stream("odd"), None, "none"))
