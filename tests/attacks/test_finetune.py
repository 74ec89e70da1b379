import pytest
import torch

from attacks.finetune import Finetune
from benchmark.contract import Thief
from benchmark.data.splits import Holdings
from benchmark.protocol.parties import stream
from schemes.adi import Adi
from schemes.passport import Passport
from schemes.rose import Rose

HEAD = ("head.weight", "head.bias")


def state(exhibit):
    return exhibit.service.net.state


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("mode", ["ftll", "rtll"])
def test_last_layer_modes_move_the_head_alone(lab, mode):
    host = lab.null(100)
    assert changed(state(host), state(lab.attack(Finetune(mode=mode), host))) == set(HEAD)


@pytest.mark.parametrize("mode", ["ftal", "rtal"])
def test_all_layer_modes_move_every_layer(lab, mode):
    host = lab.null(100)
    kept = set(state(host)) - changed(state(host), state(lab.attack(Finetune(mode=mode, epochs=1), host)))
    assert kept == {"normalise.mean", "normalise.std"}


@pytest.mark.parametrize("mode", ["ftll", "ftal", "rtll", "rtal"])
def test_only_the_retraining_modes_redraw_the_head(lab, mode):
    host = lab.null(100)
    still = state(lab.attack(Finetune(mode=mode, lr=0.0, epochs=1), host))
    weights = {name for name in changed(state(host), still) if "running" not in name and "tracked" not in name}
    assert weights == (set(HEAD) if mode in ("rtll", "rtal") else set())


def test_the_redrawn_head_comes_from_the_thief_alone(lab):
    attack, host = Finetune(mode="rtll", epochs=1), lab.null(100)
    first = state(lab.attack(attack, host))
    torch.manual_seed(5)
    assert not changed(first, state(lab.attack.__wrapped__(attack, host)))


@pytest.fixture
def rates(monkeypatch):
    """The rates of the steps that are taken."""
    rates = []
    step = torch.optim.SGD.step

    def watched(self, *given):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *given)

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    return rates


def test_the_rate_is_constant(lab, rates):
    cost = lab.attack.__wrapped__(Finetune(lr=0.02, epochs=2), lab.null(100)).cost.record()
    assert rates == [0.02] * 12
    assert cost | {"operations": 0} == {
        "operations": 0,
        "labelled": 400,
        "unlabelled": 0,
        "queries": 0,
        "steps": 12,
        "samples": 12 * 64,
    }


def test_the_rate_is_halved_after_each_sixth_of_the_epochs(lab, rates):
    lab.attack.__wrapped__(Finetune(lr=0.08, epochs=12, schedule="step"), lab.null(100))
    assert rates == [rate for rate in (0.08, 0.04, 0.02, 0.01, 0.005, 0.0025) for _ in range(2 * 6)]


def test_fewer_epochs_than_halves_begin_at_the_highest_rate(lab, rates):
    lab.attack.__wrapped__(Finetune(lr=0.08, epochs=2, schedule="step"), lab.null(100))
    assert rates == [0.08] * 6 + [0.01] * 6


def test_a_cosine_rises_to_the_rate_and_falls_to_nothing(lab, rates):
    lab.attack.__wrapped__(Finetune(lr=0.08, epochs=5, schedule="cosine"), lab.null(100))
    assert len(rates) == 30
    assert max(rates) == 0.08
    assert rates[-1] < 0.001


def test_labels_that_he_lacks_are_bought_from_the_service(lab):
    few = Holdings(lab.splits.thief.take(torch.arange(24)), lab.splits.thief.x[24:152])
    thief = Thief(lab.context, few, stream("few"), lab.null(100).service.running(), "weights")
    Finetune(epochs=1, data="bought").run(thief)
    assert (thief.cost.labelled, thief.cost.unlabelled, thief.cost.queries) == (24, 152, 128)
    assert (thief.meter.steps, thief.meter.samples) == (6, 6 * 64)


def test_the_papers_tiny_rate_leaves_rose_alone(lab, monkeypatch):
    """Kallas & Furon 2022, Table I: Adam at 1e-5 for 30 epochs on a small part of the data."""
    rose = Rose()
    marked = lab.embed(rose)
    steps = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self, *given: steps.append(1) or step(self, *given))
    tuned = lab.attack.__wrapped__(Finetune(lr=1e-5, epochs=30, optimiser="adam"), marked, rose)
    assert len(steps) == tuned.cost.record()["steps"] == 180
    assert lab.total(lab.observe(rose, tuned, marked.key)) >= 38
    moved = max(float((state(tuned)[name] - state(marked)[name]).abs().max()) for name in HEAD)
    assert 1e-4 < moved < 1e-5 * 180 * 1.5  # Adam's step is about its rate


def test_a_high_rate_removes_rose_and_keeps_the_task(lab):
    rose = Rose()
    marked = lab.embed(rose)
    assert lab.total(lab.observe(rose, marked)) >= 38
    tuned = lab.attack(Finetune(mode="ftal", lr=0.05, epochs=20), marked, rose)
    assert lab.total(lab.observe(rose, tuned, marked.key)) < 15  # P(Bin(40, 1/10) >= 15) = 3e-6
    assert tuned.accuracy > marked.accuracy - 0.02


def test_adi_stands_a_low_rate_and_fades_with_what_is_retrained(lab):
    adi = Adi()
    marked = lab.embed(adi)

    def hits(mode):
        return lab.total(lab.observe(adi, lab.attack(Finetune(mode=mode), marked, adi), marked.key))

    kept, last, everything = hits("ftal"), hits("rtll"), hits("rtal")
    assert kept >= 90
    assert everything + 10 < last < kept


def test_passport_nets_are_folded_and_their_bits_stay_in_the_filters(lab):
    passport = Passport()
    marked = lab.embed(passport)
    tuned = lab.attack(Finetune(mode="ftal"), marked, passport)
    assert tuned.service.net.spec == marked.service.net.spec["host"]
    assert {"blocks.1.norm.weight", "blocks.2.norm.bias"} <= set(state(tuned))
    assert lab.total(lab.observe(passport, tuned, marked.key)) >= 90


def test_few_labels_come_several_times_in_full_batches(lab):
    few = lab.splits.thief.take(torch.arange(24))
    for epochs, mode in ((2, "ftal"), (1, "ftll")):
        thief = Thief(lab.context, few, stream("few"), lab.null(100).service.running(), "weights")
        Finetune(mode, epochs=epochs).run(thief)
        assert (thief.meter.steps, thief.meter.samples) == (6 * epochs, 6 * epochs * 24)
        assert thief.cost.labelled == 24
