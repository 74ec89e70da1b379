"""Smooth retraining: surrogates of disjoint parts, one answer."""

from __future__ import annotations

from typing import Any

import torch

from attacks.copies.ensemble import Ensemble, SmoothRetrain
from benchmark.contract import Net, Thief, logits
from benchmark.protocol.parties import stream
from schemes.adi import Adi

ADI = Adi()


def test_the_answer_is_the_mean_of_the_members_probabilities(lab: Any) -> None:
    nets = [lab.null(index).service.net for index in (0, 1)]
    ensemble = Ensemble(nets[0].spec, 2)
    for member, net in zip(ensemble.members, nets, strict=True):
        member.load_state_dict(net.state)
    x = lab.splits.test.images()
    wanted = torch.stack([logits(net.module(), x).softmax(1) for net in nets]).mean(0)
    torch.testing.assert_close(logits(Net.of(ensemble).module(), x).softmax(1), wanted, atol=1e-5, rtol=0)


def test_every_image_is_asked_once_and_learnt_by_one_member(lab: Any, monkeypatch: Any) -> None:
    seen = []
    thief = Thief(lab.context, lab.splits.thief, stream("parts"), lab.null(0).service.running(), "labels")
    monkeypatch.setattr(thief, "fit", lambda model, recipe, data: seen.append((recipe, data)) or model)
    SmoothRetrain(epochs=7).run(thief)
    assert thief.cost.queries == 400
    assert [len(data) for _, data in seen] == [134, 133, 133]
    assert {(recipe.epochs, recipe.smoothing) for recipe, _ in seen} == {(7, 0.2)}
    together = torch.cat([data.x for _, data in seen]).flatten(1)
    assert torch.equal(together.sort(0).values, lab.splits.thief.x.flatten(1).sort(0).values)


def test_it_learns_the_task_without_the_mark(lab: Any) -> None:
    marked = lab.embed(ADI)
    stolen = lab.attack(SmoothRetrain(), marked, ADI)
    assert lab.total(lab.observe(ADI, stolen, marked.key)) < 25  # P(Bin(100, 1/10) >= 25) = 1e-5
    assert stolen.accuracy > marked.accuracy - 0.07
