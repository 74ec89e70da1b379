"""Surrogates of an image service: what the thief pays, and what his net is."""

from __future__ import annotations

import pytest
import torch

from attacks.copies.surrogate import OverwriteImages, Surrogate, bought, features, turned
from benchmark.contract import Critic, NotApplicable, Thief, as_float, build
from benchmark.protocol.parties import stream
from schemes.deepmodel import DeepModel

SCHEME = DeepModel()
FAST = DeepModel(adversarial=False, epochs=1)


@pytest.fixture(scope="session")
def service(image_lab):
    return image_lab.null(0)


def test_the_thief_pays_one_query_an_image_and_no_label(image_lab, service):
    stolen = image_lab.attack(Surrogate(epochs=2), service, SCHEME)
    cost = stolen.cost.record()
    assert (cost["queries"], cost["unlabelled"], cost["labelled"]) == (512, 512, 0)
    assert cost["steps"] == 2 * 64


def test_he_buys_images_of_eight_bits(image_lab, service):
    thief = Thief(image_lab.context, image_lab.splits.thief, stream("t"), service.service.running(), "outputs")
    pairs = bought(thief)
    assert pairs.x.dtype == pairs.y.dtype == torch.uint8
    assert pairs.y.shape == pairs.x.shape
    wanted = service.service.running().ask(thief.inputs.float() / 255, "outputs").clamp(0, 1)
    assert (pairs.y.float() / 255 - wanted).abs().max() <= 0.5 / 255 + 1e-6
    with pytest.raises(NotApplicable):
        thief.ask(thief.inputs.float() / 255, "labels")


@pytest.mark.parametrize(("architecture", "blocks"), [("unet", 9), ("plain", 9), ("residual", 3)])
def test_the_surrogate_has_the_architecture_he_asked_for(image_lab, service, architecture, blocks):
    stolen = image_lab.attack(Surrogate(architecture=architecture, blocks=blocks, epochs=1), service, SCHEME)
    assert stolen.service.net.spec["builder"] == architecture
    if architecture == "residual":
        assert stolen.service.net.spec["blocks"] == blocks


def test_it_imitates_the_service(image_lab, service):
    x = image_lab.splits.test.images()
    taught = service.service.running().ask(x, "outputs").clamp(0, 1)

    def gap(exhibit):
        return (exhibit.service.running().ask(x, "outputs").clamp(0, 1) - taught).square().mean().item()

    squared = image_lab.attack(Surrogate(epochs=4), service, SCHEME)
    absolute = image_lab.attack(Surrogate(epochs=4, loss="l1"), service, SCHEME)
    assert max(gap(squared), gap(absolute)) < 0.5 * (x - taught).square().mean().item()
    assert any(
        not torch.equal(squared.service.net.state[name], absolute.service.net.state[name])
        for name in squared.service.net.state
    )


@pytest.mark.parametrize("loss", ["adversarial", "perceptual"])
def test_the_papers_other_losses_learn_the_service_and_are_counted(image_lab, service, loss):
    squared = image_lab.attack(Surrogate(epochs=10), service, SCHEME)
    stolen = image_lab.attack(Surrogate(epochs=10, loss=loss), service, SCHEME)
    assert stolen.accuracy > 17.1 + 3
    assert (stolen.cost.labelled, stolen.cost.unlabelled, stolen.cost.queries) == (0, 512, 512)
    assert stolen.cost.meter.operations > 1.1 * squared.cost.meter.operations
    assert stolen.service.net.spec == squared.service.net.spec
    assert any(
        not torch.equal(stolen.service.net.state[name], squared.service.net.state[name])
        for name in squared.service.net.state
    )


def test_a_critic_learns_to_tell_and_says_how_to_pass():
    rng = stream("critic")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        critic = Critic(build({"builder": "patchgan", "channels": 1}))
    before = critic.loss(torch.rand(8, 1, 32, 32, generator=rng), torch.full((8, 1, 32, 32), 0.5)).item()
    for _ in range(150):
        fake = torch.full((8, 1, 32, 32), 0.5, requires_grad=True)
        unconvincing = critic.loss(torch.rand(8, 1, 32, 32, generator=rng), fake)
    assert unconvincing.item() > max(0.7, before - 0.3)
    assert critic.net(torch.rand(8, 1, 32, 32, generator=rng)).mean() > 0.7
    assert critic.net(fake).mean() < 0.3
    assert fake.grad is None
    unconvincing.backward()
    assert fake.grad.abs().sum() > 0


def test_features_see_what_pixels_average_away(image_lab):
    """Their distance is scaled to that of pixels; a picture without its grain is further off in features."""
    splits = image_lab.splits
    thief = Thief(image_lab.context, splits.thief, stream("features"), None, "outputs")
    seen, scale = features(thief, splits.thief)
    clean = as_float(splits.test.y)
    assert seen(clean).shape == (64, 32, 16, 16)
    assert not any(parameter.requires_grad for parameter in seen.__self__.parameters())
    assert scale * seen(clean).var(0).mean() == pytest.approx(clean.var(0).mean(), rel=0.5)
    smooth = torch.nn.functional.avg_pool2d(clean, 3, 1, 1, count_include_pad=False)
    shift = (smooth - clean).square().mean().sqrt()

    def share(images):
        return (scale * (seen(images) - seen(clean)).square().mean() / (images - clean).square().mean()).item()

    assert share(smooth) > 1.2 * share(clean + shift)


def test_pairs_turn_together_under_all_eight_symmetries():
    square = torch.arange(9.0).view(1, 1, 3, 3)
    x, y = turned(square.expand(400, -1, -1, -1), 10 * square.expand(400, -1, -1, -1), stream("turn"))
    assert torch.equal(y, 10 * x)
    assert len(x.flatten(1).unique(dim=0)) == 8


def test_overwriting_serves_a_surrogate_behind_the_thiefs_own_embedder(image_lab, service, monkeypatch):
    monkeypatch.setattr("schemes.deepmodel.ATTEMPTS", 1)  # after one epoch each of them would fail
    stolen = image_lab.attack(OverwriteImages(), service, FAST)
    assert stolen.service.net.spec["builder"] == "deepmodel-service"
    assert stolen.key is None
    assert stolen.cost.record()["queries"] == 512
    assert stolen.cost.record()["labelled"] == 0
    assert stolen.accuracy > 17.1 + 3
