"""How a court asks: a service that answers by what else is asked is found, and called so; no other is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmark.contract import Data, Draws, as_float
from benchmark.protocol.answers import Answers, differing
from benchmark.protocol.court import BATCH, Court
from benchmark.protocol.objects import Running, ServiceFailed
from benchmark.protocol.parties import stream
from benchmark.protocol.steps import agreement, examine, overlap, utility
from benchmark.training.device import answered_at_once
from schemes.adi import Adi

SCHEME = Adi(n=40)
KEY = SCHEME.trigger_key(torch.randint(256, (40, 1, 16, 16), generator=stream("key"), dtype=torch.uint8), b"s" * 32, 10)
TRIGGERS = as_float(KEY.images)


class Heard:
    """A service that keeps what it is asked, and answers it by `act(batch, its answer)`."""

    def __init__(self, lab: Any, act: Callable[[Tensor, Tensor], Tensor] = lambda x, answer: answer) -> None:
        self.running, self.act = lab.null(0).service.running(), act
        self.batches: list[Tensor] = []

    def ask(self, x: Tensor, access: Any) -> Tensor:
        self.batches.append(x.clone())
        return self.act(x, self.running.ask(x, access))


def judge(lab: Any) -> Court:
    return lab.court("test")


def examined(lab: Any, running: Any) -> dict[str, Any]:
    court = judge(lab)
    return examine(SCHEME, KEY, lab.suspect(lab.null(0).service, "labels", court, running), court)


def among(x: Tensor, images: Tensor) -> Tensor:
    """Which of `x` are among `images`, to the last pixel."""
    return (x[:, None] == images[None]).flatten(2).all(2).any(1)


def test_key_items_travel_among_three_times_as_many_of_the_judge_s_own(lab: Any) -> None:
    heard, own = Heard(lab), lab.splits.test.images()
    suspect = lab.suspect(lab.null(0).service, "labels", judge(lab), heard)
    first, heard.batches = heard.batches, []
    suspect.labels(TRIGGERS)
    assert {len(batch) for batch in (*first, *heard.batches)} == {BATCH}
    keyed = torch.cat([among(batch, TRIGGERS) for batch in heard.batches])
    beside = torch.cat(heard.batches)[~keyed]
    assert (int(keyed.sum()), len(beside)) == (40, 160)  # 120 are asked for, and fill two batches
    assert bool(among(beside, own).all())
    assert len(beside.flatten(1).unique(dim=0)) == len(beside)
    assert all(among(batch, TRIGGERS).any() for batch in heard.batches)
    assert int(keyed[:BATCH].nonzero()[-1]) > 45  # shuffled: they don't come first
    assert bool(among(own, torch.cat(first)).all())


def test_what_bears_no_key_counts_as_the_judge_s_own(lab: Any) -> None:
    court = judge(lab)
    assert len(court.beside(40, 40)) == 160
    assert len(court.beside(160, 40)) == 40  # three times as many are there already; as many as bear a key at least
    assert len(court.beside(6300, 300)) == 300
    assert len(court.beside(300, 300)) == 400  # 397 there are: the rest of the batch is filled up


def test_an_honest_service_is_read_as_it_answers(lab: Any) -> None:
    seen = examined(lab, Heard(lab))
    right = lab.null(0).service.running().ask(TRIGGERS, "labels") == KEY.labels
    assert seen["channels"]["triggers"]["hits"] == "".join("1" if hit else "0" for hit in right)
    assert "inconsistent" not in seen


def rolled(x: Tensor, answer: Tensor) -> Tensor:
    return answer.roll(1, 1)


def small_batches(x: Tensor, answer: Tensor) -> Tensor:
    """What worked against a court that asked its key alone: nothing happens now, for no batch is small."""
    return rolled(x, answer) if len(x) < BATCH else answer


def strange_batches(x: Tensor, answer: Tensor) -> Tensor:
    return rolled(x, answer) if bool(among(x, TRIGGERS).any()) else answer


def strange_failures(x: Tensor, answer: Tensor) -> Tensor:
    if bool(among(x, TRIGGERS).any()):
        raise ServiceFailed("ValueError: what a strange image")
    return answer


def strange_nan(x: Tensor, answer: Tensor) -> Tensor:
    return answer / 0 if bool(among(x, TRIGGERS).any()) else answer


def strange_shapes(x: Tensor, answer: Tensor) -> Tensor:
    return answer[:, :3] if bool(among(x, TRIGGERS).any()) else answer


def test_a_service_that_goes_by_the_size_of_a_batch_gains_nothing(lab: Any) -> None:
    assert examined(lab, Heard(lab, small_batches)) == examined(lab, Heard(lab))


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (strange_batches, "of 160 of the judge's images otherwise"),
        (strange_failures, "fails beside other images at those it has answered before: ValueError: what a strange"),
        (strange_nan, "answers with NaN or infinity"),
        (strange_shapes, "of 160 of the judge's images otherwise"),
    ],
)
def test_a_service_that_goes_by_what_else_is_asked_is_called_so(lab: Any, act: Any, sentence: str) -> None:
    assert sentence in examined(lab, Heard(lab, act))["inconsistent"]


def test_a_service_that_forgets_itself_after_a_while_is_found(lab: Any) -> None:
    """One that counts: honest for as long as the judge's images take, and never again."""
    asked = []

    def act(x: Tensor, answer: Tensor) -> Tensor:
        asked.append(x)
        return answer if len(asked) <= 4 else rolled(x, answer)

    assert "inconsistent" in examined(lab, Heard(lab, act))


def tiny(answer: Tensor) -> Tensor:
    return answer * 1e-9


def far(answer: Tensor) -> Tensor:
    return answer + 1e3


def stretched(answer: Tensor) -> Tensor:
    return nn.functional.pad(answer, (0, 1), value=-1e30)


def twins(answer: Tensor) -> Tensor:
    return torch.cat([answer, answer], 1)


def ruined(answer: Tensor) -> Tensor:
    return answer * 0 + torch.tensor([0.1, 0.3, 0.2, 0.0, 0.1, 0.0, 0.3, 0.0, 0.1, 0.2])


def dead(answer: Tensor) -> Tensor:
    return answer * 0


def coarse(answer: Tensor) -> Tensor:
    return answer.round()


@pytest.mark.parametrize("form", [tiny, far, stretched, twins])
def test_scores_without_a_clear_answer_are_no_leave_to_answer_otherwise(
    lab: Any, form: Callable[[Tensor], Tensor]
) -> None:
    """Rounding explains few changes of answers that hang by a hair, not a change of all of them."""
    asked = []

    def act(x: Tensor, answer: Tensor) -> Tensor:
        asked.append(x)
        return form(answer if len(asked) <= 4 else rolled(x, answer))

    assert "of the judge's images otherwise" in examined(lab, Heard(lab, act))["inconsistent"]


@pytest.mark.parametrize("form", [tiny, far, stretched, twins, ruined, dead, coarse])
def test_scores_of_any_kind_are_consistent_where_they_stay(lab: Any, form: Callable[[Tensor], Tensor]) -> None:
    """What a net comes to that was cooled, pruned to death or quantised: its answers may be poor, but they are its."""

    def act(x: Tensor, answer: Tensor) -> Tensor:
        return form(answer) * (1 + 1e-7 * torch.randn(len(x), 1))  # rounding, otherwise for every batch

    assert "inconsistent" not in examined(lab, Heard(lab, act))


def test_what_the_machine_did_is_not_laid_at_the_service_s_door(lab: Any) -> None:
    def act(x: Tensor, answer: Tensor) -> Tensor:
        if bool(among(x, TRIGGERS).any()):
            raise ServiceFailed("out of memory") from MemoryError()
        return answer

    with pytest.raises(ServiceFailed, match="out of memory"):
        examined(lab, Heard(lab, act))


class Noise(nn.Module):
    def __init__(self, share: float = 0.3) -> None:
        super().__init__()
        self.share = share


class GlobalNoise(Noise):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.share * torch.randn_like(x)


class DrawnNoise(Noise):
    def forward(self, x: Tensor, draws: Draws) -> Tensor:
        return x + self.share * (draws.normal(x.shape[1:]) + draws.uniform(x.shape[1:]) - 0.5)


def test_a_random_filter_draws_from_a_stream_of_each_image(lab: Any) -> None:
    model = lab.null(0).service.net.module()
    assert "inconsistent" in examined(lab, Running(model, (GlobalNoise(),)))
    assert "inconsistent" not in examined(lab, Running(model, (DrawnNoise(), DrawnNoise())))


def test_draws_differ_between_images_and_follow_from_them_alone(lab: Any) -> None:
    class Echo(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)

    x = lab.splits.test.images()[:3]
    running = Running(Echo(), (DrawnNoise(1.0),))
    noise = running.ask(x, "outputs") - x.flatten(1)
    again = running.ask(x[[2, 1]], "outputs") - x[[2, 1]].flatten(1)
    assert not torch.allclose(noise[0], noise[1])
    assert torch.allclose(noise[[2, 1]], again, atol=1e-6)
    assert abs(float(noise.std()) - (1 + 1 / 12) ** 0.5) < 0.1


@pytest.mark.parametrize("value", [-1e4, -torch.inf], ids=str)
def test_a_class_that_never_wins_changes_nothing(lab: Any, value: float) -> None:
    class Dummy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = lab.null(0).service.net.module()

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.pad(self.net(x), (0, 1), value=value)

    padded, honest = Running(Dummy()), Heard(lab)
    assert examined(lab, padded) == examined(lab, honest)
    more, plain = (judge(lab).answers(one) for one in (padded, honest))
    assert more.outputs.shape == (len(lab.splits.test), 11)
    assert utility(more.outputs, lab.splits.test) == utility(plain.outputs, lab.splits.test)
    assert agreement(plain, more)["labels"] == 1.0
    assert agreement(plain, more)["largest_gap"] < 1e-4
    suspect = lab.suspect(lab.null(0).service, "probabilities", judge(lab), padded)
    assert suspect.ask(TRIGGERS).shape == (40, 10)
    assert torch.allclose(suspect.ask(TRIGGERS).sum(1), torch.ones(40))


def test_other_classes_are_wrong_and_missing_ones_have_no_chance(lab: Any) -> None:
    outside = Heard(lab, lambda x, answer: nn.functional.pad(answer, (0, 1), value=1e4))
    assert utility(judge(lab).answers(outside).outputs, lab.splits.test)["correct"] == "0" * len(lab.splits.test)
    few = lab.suspect(lab.null(0).service, "probabilities", judge(lab), Heard(lab, lambda x, answer: answer[:, :4]))
    assert bool((few.ask(TRIGGERS)[:, 4:] == 0).all())
    assert torch.allclose(few.ask(TRIGGERS).sum(1), torch.ones(40))


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda x, answer: answer[:-1], r"answers with shape \(99, 10\), expected \(100, classes\)"),
        (lambda x, answer: answer[:, :0], r"answers with shape \(100, 0\)"),
        (lambda x, answer: x, r"answers with shape \(100, 1, 16, 16\)"),
        (lambda x, answer: answer * torch.nan, "NaN"),
        (lambda x, answer: answer + torch.inf, "infinity"),
    ],
)
def test_a_new_service_must_answer_the_judge_s_images(lab: Any, act: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        judge(lab).answers(Heard(lab, act))


def test_a_gpu_answers_many_questions_at_a_time_and_a_stranger_one(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, sizes = lab.null(0).service.running(), []
    running.model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    one_by_one = judge(lab).answers(running).outputs
    assert {*sizes} == {BATCH}
    monkeypatch.setattr("benchmark.protocol.court.answered_at_once", lambda x, on_cpu: 3 * on_cpu)
    sizes.clear()
    assert torch.allclose(judge(lab).answers(running).outputs, one_by_one, atol=1e-4)
    assert sizes == [3 * BATCH, BATCH]
    heard = Heard(lab)
    judge(lab).answers(heard)
    assert {len(batch) for batch in heard.batches} == {BATCH}


@pytest.mark.parametrize(("device", "at_once"), [("cpu", 100), ("meta", 4096)])
def test_what_a_device_answers_at_once_follows_from_its_pixels(device: str, at_once: int) -> None:
    assert answered_at_once(torch.empty(1, 1, 16, 16, device=device), 100) == at_once


def test_images_may_differ_by_a_level_and_no_more(image_lab: Any) -> None:
    test = image_lab.splits.test
    keyed = test.images()[:5] * 0.5

    class Service:
        def __init__(self, shift: float) -> None:
            self.shift = shift

        def ask(self, x: Tensor, access: Any) -> Tensor:
            return x + self.shift * float(among(x, keyed).any())

    def seen(shift: float) -> str | None:
        suspect = image_lab.suspect(None, "outputs", image_lab.court("test"), Service(shift))
        assert torch.allclose(suspect.answers, test.images())
        suspect.ask(keyed)
        return suspect.inconsistent

    assert seen(1 / 255) is None
    assert "of 95 of the judge's images otherwise" in str(seen(3 / 255))
    with pytest.raises(ValueError, match="expected"):
        image_lab.court("test").answers(Running(nn.MaxPool2d(2)))


def test_answers_near_a_tie_may_fall_either_way() -> None:
    tie = torch.tensor([[1.0, 1.0002, 0.0], [1.0, 1.5, 0.0], [0.0, 0.0, 4.0]])
    assert Answers(tie).clear.tolist() == [False, True, True]
    assert Answers(1e-6 * tie).clear.tolist() == [False, True, True]
    after = tie.clone()
    after[0] = torch.tensor([1.0002, 1.0, 0.0])
    many = Answers(tie[[0] + [2] * 99]), torch.cat([after[:1], tie[[2] * 99]])
    assert not differing(*many).any()
    assert differing(Answers(tie), after).tolist() == [True, False, False]  # a third of all: no rounding does that
    assert Answers(tie[:, :1]).clear.tolist() == [True] * 3


def test_an_overlap_is_of_images_to_the_last_pixel() -> None:
    images = torch.randint(256, (6, 1, 4, 4), generator=stream("pool"), dtype=torch.uint8)
    pool, other = images[:4], images[1].clone()
    other[0, 0, 0], other[0, 0, 1] = other[0, 0, 1].clone(), other[0, 0, 0].clone()  # of the same sum
    key = Data(torch.stack([images[0], images[3], images[5], other]), torch.zeros(4))
    assert overlap(key, pool) == {"held": 2, "of": 4}
    assert overlap(key, torch.zeros(4, 3, 4, 4, dtype=torch.uint8)) == {"held": 0, "of": 4}
