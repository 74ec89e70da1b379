import pytest
import torch

from attacks.retraining.shocks import DecayShock, WeightShifting


def size(model):
    return sum(float(one.square().sum()) for one in model.parameters())


def test_the_shock_shrinks_all_weights_and_the_task_comes_back(lab, thief):
    shocked, spared = (DecayShock(shock=shock, epochs=5).run(thief()) for shock in (5, 0))
    assert size(shocked) < 0.7 * size(spared)
    test = lab.splits.test
    assert float((shocked(test.images()).argmax(1) == test.y).float().mean()) > 0.85


def test_filters_lose_what_they_share(thief):
    before = dict(thief().model.named_parameters())
    bare = dict(WeightShifting(shift=1.0, noise=0.0, lr=0.0, epochs=1).run(thief()).named_parameters())
    for name, weight in before.items():
        if name.endswith("conv.weight"):
            torch.testing.assert_close(bare[name], weight - weight.mean(0))
        else:
            assert torch.equal(bare[name], weight), name


def test_noise_is_as_large_as_the_weights_of_its_layer(thief):
    before = dict(thief().model.named_parameters())
    shaken = dict(WeightShifting(shift=0.0, noise=0.5, lr=0.0, epochs=1).run(thief()).named_parameters())
    for name in (name for name in before if name.endswith("conv.weight")):
        assert (shaken[name] - before[name]).std().item() == pytest.approx(0.5 * before[name].std().item(), rel=0.2)
