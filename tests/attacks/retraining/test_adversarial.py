import torch
import torch.nn.functional as F

from attacks.retraining.adversarial import AdversarialTraining


def standing(lab, model):
    """Share of the judge's images that stay right when each pixel moves by 0.1 against the net."""
    x, y = lab.splits.test.images().requires_grad_(), lab.splits.test.y
    (slope,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return float((model((x + 0.1 * slope.sign()).clamp(0, 1)).argmax(1) == y).float().mean())


def test_the_net_learns_to_stand_what_moves_against_it(lab, thief):
    hard, plain = (AdversarialTraining(radius=radius).run(thief(labelled=400)) for radius in (0.1, 0.0))
    assert not hard.training
    assert standing(lab, hard) > standing(lab, plain) + 0.1
