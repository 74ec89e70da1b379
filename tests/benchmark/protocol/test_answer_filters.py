"""What stands behind a net: a service's answers pass its filters, in order, for everybody who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmark import contract as wm
from benchmark.contract import Attack, AttackResult, Draws, Thief
from benchmark.description import read
from benchmark.protocol.objects import Release, Running
from benchmark.protocol.steps import steal
from benchmark.store import artefacts


@wm.builder("test-scaled")
class Scaled(nn.Module):
    """Answers times a factor, plus one."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor(factor))

    def forward(self, answers: Tensor) -> Tensor:
        return answers * self.factor + 1

    def spec(self) -> wm.Spec:
        return {"builder": "test-scaled", "factor": 1.0}


class Drawn(nn.Module):
    def forward(self, answers: Tensor, draws: Draws) -> Tensor:
        return answers + draws.normal(answers.shape[1:])


@dataclass(frozen=True)
class Behind(Attack):
    """Two filters behind the net that he was given."""

    name = "behind"

    factor: float

    def run(self, thief: Thief) -> AttackResult:
        return AttackResult(answer_filters=(Scaled(self.factor),))


def test_answers_pass_every_filter_in_order_and_survive_storage(lab: Any, tmp_path: Any) -> None:
    release = Release(lab.null(100).service, "weights")
    service, *_ = steal([Behind(2.0), Behind(3.0)], lab.context, lab.splits.thief, 0, release)
    x = lab.splits.test.images()[:20]
    wanted = (2 * release.service.running().ask(x, "outputs") + 1) * 3 + 1
    torch.testing.assert_close(service.running().ask(x, "outputs"), wanted)
    torch.testing.assert_close(service.running().ask(x, "probabilities"), wanted.softmax(1))
    path = tmp_path / "x.service.safetensors"
    again = artefacts.read_service(path, "x", artefacts.write(path, "x", service))
    assert torch.equal(again.running().ask(x, "outputs"), service.running().ask(x, "outputs"))
    assert artefacts.packed("x", again) == artefacts.packed("x", service)


def test_a_filter_that_spoils_answers_is_refused(lab: Any) -> None:
    release = Release(lab.null(100).service, "weights")
    with pytest.raises(ValueError, match="NaN or infinity in factor"):
        steal([Behind(float("inf"))], lab.context, lab.splits.thief, 0, release)


def test_what_is_drawn_for_an_answer_follows_from_the_image(lab: Any) -> None:
    running = Running(lab.null(100).service.net.module(), answer_filters=(Drawn(),))
    x = lab.splits.test.images()[:3]
    plain = Running(running.model).ask(x, "outputs")
    noise = running.ask(x, "outputs") - plain
    assert 0.6 < float(noise.std()) < 1.4
    torch.testing.assert_close(running.ask(x[[2, 1]], "outputs") - plain[[2, 1]], noise[[2, 1]], atol=1e-4, rtol=0)


def test_services_that_were_stored_before_have_no_filters_of_answers() -> None:
    stored = {"net": {"net": "net", "spec": {"builder": "convnet"}}, "filters": []}
    assert read(artefacts.PackedService, stored).answer_filters == []
