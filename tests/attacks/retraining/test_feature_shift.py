import torch
import torch.nn.functional as F

from attacks.retraining.feature_shift import FeatureShift


def test_the_new_head_is_pushed_away_from_the_old_one_and_is_an_ordinary_layer_again(thief):
    old = thief().model.head.weight
    free, pushed = (FeatureShift(alpha=alpha, lr=0.05, epochs=4).run(thief()).head for alpha in (0.0, 0.2))
    alike = [float(F.cosine_similarity(old.flatten(), head.weight.flatten(), 0)) for head in (free, pushed)]
    assert alike[1] < alike[0] - 0.1
    for head in (free, pushed):
        assert type(head) is torch.nn.Linear
        assert torch.allclose(head.weight.norm(), old.norm(), rtol=1e-4)
