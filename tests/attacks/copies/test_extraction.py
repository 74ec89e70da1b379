import pytest
import torch

from attacks.copies.extraction import Distill, Extract
from attacks.finetune import Finetune
from attacks.prune import Prune
from benchmark.contract import Net, NotApplicable, Thief, logits
from benchmark.protocol.objects import Release, Service
from benchmark.protocol.parties import stream
from benchmark.protocol.steps import steal
from schemes.adi import Adi
from schemes.rose import Rose

ADI, ROSE = Adi(), Rose()


def thief_of(lab, service, grants):
    return Thief(lab.context, lab.splits.thief, stream("extraction"), service.running(), grants)


@pytest.mark.parametrize(
    ("attack", "scheme", "limit"),
    [(Distill(), ADI, 25), (Distill(architecture="resnet8"), ADI, 25), (Extract(), ROSE, 15)],
    ids=["distill", "resnet8", "extract"],
)
def test_the_surrogate_learns_the_task_without_the_mark(lab, attack, scheme, limit):
    marked = lab.embed(scheme)
    surrogate = lab.attack(attack, marked, scheme)
    assert lab.total(lab.observe(scheme, surrogate, marked.key)) < limit  # P below 1e-5
    assert surrogate.accuracy > marked.accuracy - 0.05
    assert surrogate.service.net.spec["builder"] == {"house": lab.context.architecture}.get(
        attack.architecture, attack.architecture
    )


def test_answers_are_queried_once_and_no_label_is_used(lab):
    cost = lab.attack(Distill(), lab.embed(ADI), ADI).cost.record()
    assert cost | {"operations": 0} == {
        "operations": 0,
        "labelled": 0,
        "unlabelled": 400,
        "queries": 400,
        "steps": 240,
        "samples": 240 * 64,
    }


@pytest.mark.parametrize(
    ("attack", "grants"), [(Distill(epochs=20), "probabilities"), (Extract(epochs=20), "labels")], ids=lambda v: str(v)
)
def test_the_surrogate_repeats_what_the_service_says_not_what_is_true(lab, attack, grants):
    model = lab.null(100).service.net.module()
    with torch.no_grad():  # every answer becomes the next class
        for tensor in (model.head.weight, model.head.bias):
            tensor.copy_(tensor.roll(1, 0))
    surrogate = attack.run(thief_of(lab, Service(Net.of(model)), grants))
    answers = logits(surrogate, lab.splits.test.images()).argmax(1)
    assert ((lab.splits.test.y + 1) % 10 == answers).float().mean() > 0.9


@pytest.mark.parametrize(
    "attack", [Extract(queries=100, epochs=8), Distill(queries=100, epochs=8)], ids=lambda a: a.name
)
def test_a_thief_of_few_queries_asks_no_more_and_trains_as_long(lab, attack):
    cost = lab.attack(attack, lab.null(100)).cost.record()
    assert cost["queries"] == 100
    assert cost["steps"] == 8 * 4  # of 100 images, in one batch a pass


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_targets_are_the_softened_logits(lab, monkeypatch, temperature):
    """A surrogate that answers as the service does has a loss of temperature squared times the targets' entropy."""
    seen = {}
    thief = thief_of(lab, lab.null(100).service, "probabilities")
    monkeypatch.setattr(thief, "build", lambda architecture: lab.null(100).service.net.module())
    monkeypatch.setattr(thief, "fit", lambda model, recipe, **given: seen.update(given))
    Distill(temperature).run(thief)
    x = lab.splits.thief.images()
    wanted = (logits(lab.null(100).service.net.module(), x) / temperature).softmax(1)
    torch.testing.assert_close(seen["data"].y, wanted, rtol=0, atol=1e-5)
    entropy = torch.special.entr(wanted).sum(1).mean()
    torch.testing.assert_close(seen["step"]([(x, seen["data"].y)]), entropy * temperature**2, rtol=1e-3, atol=1e-5)


def test_probabilities_of_zero_leave_the_targets_finite(lab):
    model = lab.null(100).service.net.module()
    with torch.no_grad():
        model.head.weight.mul_(1000)
    assert (logits(model, lab.splits.thief.images()).softmax(1) == 0).any()
    surrogate = Distill(epochs=1).run(thief_of(lab, Service(Net.of(model)), "probabilities"))
    assert torch.isfinite(logits(surrogate, lab.splits.test.images())).all()


def test_a_service_that_gives_labels_can_be_extracted_but_not_distilled(lab):
    service = lab.null(100).service
    with pytest.raises(NotApplicable, match="grants labels"):
        Distill().run(thief_of(lab, service, "labels"))
    Extract(epochs=1).run(thief_of(lab, service, "labels"))


def test_what_was_extracted_through_labels_can_be_pruned_and_tuned_as_a_net_of_his_own(lab):
    """Extract, then remove: only a thief who made the net himself has its weights."""
    release = Release(lab.null(100).service, "labels")
    chain = [Extract(epochs=10), Prune(amount=0.5), Finetune(mode="ftal", epochs=2)]
    service, _, cost = steal(chain, lab.context, lab.splits.thief, 0, release)
    alone, *_ = steal(chain[:1], lab.context, lab.splits.thief, 0, release)
    assert cost.queries == 400
    assert any(not torch.equal(tensor, alone.net.state[name]) for name, tensor in service.net.state.items())
    answers = service.running().ask(lab.splits.test.images(), "labels")
    assert (answers == lab.splits.test.y).float().mean() > 0.9
    with pytest.raises(NotApplicable, match="grants labels"):
        steal(chain[1:], lab.context, lab.splits.thief, 0, release)
