"""What holds of all attacks that train the stolen net on: without its trick each is plain fine-tuning."""

import pytest
import torch

from attacks.finetune import STEPS, Finetune
from attacks.retraining.adversarial import AdversarialTraining
from attacks.retraining.amnesia import Amnesia
from attacks.retraining.consolidation import Refit
from attacks.retraining.feature_shift import FeatureShift
from attacks.retraining.fine_pruning import FinePruning
from attacks.retraining.labels import LabelNoise, LabelSmoothing
from attacks.retraining.sharpness import SharpnessAware
from attacks.retraining.shocks import DecayShock, WeightShifting
from attacks.retraining.tuning import tuned

LR = 0.05
WITHOUT = (
    AdversarialTraining(radius=0.0, iterations=2, lr=LR, epochs=2), AdversarialTraining(iterations=0, lr=LR, epochs=2),
    DecayShock(shock=0, lr=LR, epochs=2), FinePruning(amount=0.0, lr=LR, epochs=2),
    LabelNoise(share=0.0, lr=LR, epochs=2), LabelSmoothing(smoothing=0.0, lr=LR, epochs=2),
)  # fmt: skip
STILL = (
    AdversarialTraining(lr=0.0, epochs=1), Amnesia(rounds=0, lr=0.0, epochs=1),
    Amnesia(forget=0.0, rounds=1, lr=0.0, epochs=1), DecayShock(lr=0.0, epochs=1),
    FinePruning(amount=0.0, lr=0.0, epochs=1), LabelNoise(lr=0.0, epochs=1), LabelSmoothing(lr=0.0, epochs=1),
    Refit(lr=0.0, epochs=1), SharpnessAware(lr=0.0, epochs=1), WeightShifting(shift=0.0, noise=0.0, lr=0.0, epochs=1),
)  # fmt: skip


def weights(model):
    """All that a step of training moves; statistics that normalisation gathers are left out."""
    return dict(model.named_parameters())


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("attack", WITHOUT, ids=repr)
def test_without_its_trick_an_attack_is_fine_tuning(thief, attack):
    alone = Finetune(lr=LR, epochs=2, schedule="cosine").run(thief())
    assert same(weights(attack.run(thief())), weights(alone))
    assert not same(weights(alone), weights(thief().model))


def test_in_a_ball_without_radius_sharpness_aware_steps_are_plain_ones(thief):
    """Up to rounding: weights that were moved by nothing are other tensors, and lie otherwise in memory."""
    alone = weights(Finetune(lr=LR, epochs=2, schedule="cosine").run(thief()))
    flat = weights(SharpnessAware(0.0, LR, smoothing=0.0, epochs=2).run(thief()))
    torch.testing.assert_close(flat, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("attack", STILL, ids=repr)
def test_a_rate_of_zero_changes_no_weight(thief, attack):
    assert same(weights(attack.run(thief())), weights(thief().model))


def test_a_thief_with_few_labels_trains_on_all_his_images(lab, thief):
    """He buys the labels that he lacks, once, and an epoch has six steps at least."""
    poor = thief(labelled=4, unlabelled=60)
    tuned(poor, poor.model, LR, 2)
    assert (poor.cost.labelled, poor.cost.unlabelled, poor.cost.queries) == (4, 64, 60)
    assert (poor.meter.steps, poor.meter.samples) == (2 * STEPS, 2 * STEPS * 64)


def test_the_head_that_is_redrawn_has_its_old_length(thief):
    still = weights(FeatureShift(lr=0.0, epochs=1).run(thief()))
    before = weights(thief().model)
    assert {name for name in before if not torch.equal(before[name], still[name])} == {"head.weight", "head.bias"}
    assert still["head.weight"].norm().item() == pytest.approx(before["head.weight"].norm().item(), rel=1e-5)
