"""Every step that a built-in scheme or attack trains by can be captured: replayed, it trains the same net."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from lab import Exhibit, Lab
from step_tape import taped
from torch import Tensor

import schemes.deepmodel
from attacks.adaptive.decorrelation import Decorrelate
from attacks.adaptive.decoys import TrainAndUnlearn, UnlearnCarriers, UnlearnTriggers
from attacks.adaptive.signs import TurnSigns
from attacks.claims.passports import AccessoryBlock, Fake2, Fake3
from attacks.copies.ensemble import SmoothRetrain
from attacks.copies.extraction import Distill, Extract
from attacks.copies.knockoff import Knockoff
from attacks.copies.surrogate import Surrogate
from attacks.finetune import Finetune
from attacks.images.average import AverageAdded
from attacks.images.proxy_remover import Remover
from attacks.images.remover import GuidedRemover
from attacks.overwrite import Overwrite
from attacks.repair.adversarial_unlearning import IBau, Sau
from attacks.repair.mode_connectivity import ModeConnectivity
from attacks.repair.neuron_masks import Anp
from attacks.repair.reconstruction import Rnp
from attacks.retraining.adversarial import AdversarialTraining
from attacks.retraining.amnesia import Amnesia
from attacks.retraining.consolidation import Refit
from attacks.retraining.feature_shift import FeatureShift
from attacks.retraining.foreign_mark import OverwriteOther
from attacks.retraining.labels import LabelNoise
from attacks.retraining.sharpness import SharpnessAware
from attacks.serving.purify import Purify
from attacks.transfer import Transfer
from attacks.unlearning.attention import Nad
from attacks.unlearning.boundary import Wrk
from attacks.unlearning.inversion import Dehydrate
from attacks.unlearning.patches import Laundering, NeuralCleanse
from benchmark.architectures.image_to_image import Critic
from benchmark.data.splits import Data, Splits
from benchmark.training import capture
from benchmark.training.engine import Engine
from schemes.adi import Adi
from schemes.content import Content
from schemes.deepmodel import DeepModel
from schemes.deepmodel_bits import DeepModelBits
from schemes.keynet import KeyNet
from schemes.passport import Passport
from schemes.rose import Rose
from schemes.uchida import Uchida

ADI, DEEPMODEL = Adi(n=20, k=4, epochs=2), DeepModel(epochs=1, tuning=1)
V1, V3 = Passport(epochs=2), Passport(epochs=2, version="v3", n=20, k=4)
KEYNET = KeyNet(epochs=2, carriers=64)
REPEATED, BITS = Rose(s=8, epochs=2, repeat=4), DeepModelBits(epochs=1)
SCHEMES = (
    ADI, Content(n=20, k=4, epochs=2), Rose(s=8, epochs=2), REPEATED, KEYNET, V1, V3, DEEPMODEL,
    BITS, Uchida(epochs=2),
)  # fmt: skip
ATTACKS = (
    (Finetune(epochs=2), ADI), (Finetune(mode="rtll", epochs=2, optimiser="adam", lr=0.001), ADI),
    (UnlearnTriggers(decoys=20, epochs=2), ADI), (UnlearnCarriers(decoys=64, epochs=1), KEYNET),
    (TrainAndUnlearn(epochs=1), REPEATED), (Dehydrate(images=2, steps=1, epochs=1), ADI),
    (Dehydrate(variant="improved", images=2, steps=1, epochs=1), ADI), (Wrk(images=8, epochs=1), ADI),
    (Nad(epochs=1), ADI), (Extract(epochs=2), ADI), (Distill(epochs=2), ADI),
    (Transfer(epochs=1), ADI),
    (Transfer(epochs=1, task="shapes", pictures=40), ADI), (Overwrite(epochs=1), KeyNet()),
    (Fake2(epochs=2), V1), (Fake3(epochs=2), V1), (AccessoryBlock(epochs=2), V1),
    (Surrogate(epochs=1, augment=True), DEEPMODEL), (Surrogate(epochs=1, loss="adversarial"), DEEPMODEL),
    (Surrogate(epochs=1, loss="perceptual"), DEEPMODEL), (SmoothRetrain(epochs=2), ADI), (Purify(epochs=1), ADI),
    (Knockoff(epochs=1, queries=40), ADI), (AverageAdded(n=8, epochs=1), DEEPMODEL),
    (GuidedRemover(epochs=1), DEEPMODEL), (GuidedRemover(epochs=1), BITS),
    (Remover(images=16, epochs=1), BITS), (Anp(epochs=2), ADI), (Rnp(epochs=1), ADI),
    (NeuralCleanse(steps=1, epochs=1), ADI), (Laundering(steps=1, epochs=1), ADI),
    (Decorrelate(epochs=1), ADI), (TurnSigns(epochs=1), V1),
    (IBau(epochs=1), ADI), (Sau(epochs=1), ADI), (ModeConnectivity(epochs=2), ADI),
    (AdversarialTraining(epochs=1), ADI),
    (Amnesia(rounds=1, epochs=1), ADI), (Refit(epochs=1), ADI), (FeatureShift(epochs=1), ADI),
    (LabelNoise(epochs=1), ADI), (OverwriteOther(pictures=8, epochs=1), ADI),
    (SharpnessAware(epochs=1), ADI), (Finetune(schedule="step", epochs=1), ADI),
)  # fmt: skip


@cache
def small_lab(kind: str) -> Lab:
    """A lab with a few images, whose steps are recorded; the recipe shifts and mirrors."""
    lab = Lab(kind)
    few = [Data(part.x[:n], part.y[:n]) for part, n in zip(vars(lab.splits).values(), (48, 40, 8), strict=True)]
    recipe = replace(lab.context.recipe, epochs=1, batch=8, shift=1, flip=True)
    lab.splits = Splits(*few)
    lab.context = replace(lab.context, recipe=recipe, engine=Engine(captured=True))
    return lab


@cache
def marked(scheme: Any) -> Exhibit:
    return small_lab(scheme.tasks[0]).embed_afresh(scheme)


def tensors(exhibit: Exhibit) -> list[Tensor]:
    """Everything that was trained or drawn."""
    found = [tensor for part in exhibit.service.parts for tensor in part.state.values()]
    for value in vars(exhibit.key).values() if exhibit.key else ():
        found += [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Tensor)]
        found += list(getattr(value, "state", {}).values())
    return found


def as_on_a_gpu(critic: Critic, net: torch.nn.Module) -> None:
    """Its optimiser counts its steps in a tensor, as it does on a device that captures them."""
    critic.net, critic.optimiser = net, torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True)


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemes.deepmodel, "ATTEMPTS", 1)
    monkeypatch.setattr(Critic, "__init__", as_on_a_gpu)


@pytest.fixture
def replayed_alike(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[Callable[[], Exhibit]], None]:
    def check(make: Callable[[], Exhibit]) -> None:
        by_python = make()
        tapes = []
        monkeypatch.setattr(capture, "recorded", lambda run, side: tapes.append(1) or taped(run, side))
        replayed = make()
        assert tapes
        assert capfd.readouterr().err == ""  # no step was refused
        assert replayed.cost is None or replayed.cost.record() == by_python.cost.record()
        assert all(map(torch.equal, tensors(by_python), tensors(replayed)))

    return check


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: f"{scheme.name}-{getattr(scheme, 'version', '')}")
def test_a_mark_is_the_same(replayed_alike: Callable[[Callable[[], Exhibit]], None], scheme: Any) -> None:
    marked(scheme)  # with its host
    replayed_alike(lambda: small_lab(scheme.tasks[0]).embed_afresh(scheme))


@pytest.mark.parametrize(("attack", "scheme"), ATTACKS, ids=lambda one: one.name)
def test_what_an_attack_trains_is_the_same(
    replayed_alike: Callable[[Callable[[], Exhibit]], None], attack: Any, scheme: Any
) -> None:
    target = marked(scheme)
    replayed_alike(lambda: small_lab(scheme.tasks[0]).attack_afresh(attack, target, scheme))
