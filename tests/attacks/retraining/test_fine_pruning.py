import pytest
from torch import nn

from attacks.retraining.fine_pruning import FinePruning
from benchmark.contract import NotApplicable, entering


def silent(model):
    block = model.blocks[-1]
    return (block.norm.weight == 0) & (block.norm.bias == 0)


def test_the_quietest_channels_fall_silent_and_stay_so(lab, thief):
    (features,) = entering(thief().model, ["head"], lab.splits.thief.images()[:128])  # means over parts of the picture
    answers = features.unflatten(1, (64, -1)).mean((0, 2))
    cut = silent(FinePruning(amount=0.5, lr=0.05, epochs=2).run(thief()))
    assert int(cut.sum()) == len(cut) // 2
    assert answers[cut].max() <= answers[~cut].min() + 1e-6


def test_a_net_without_hidden_units_is_refused(thief):
    straight = nn.Sequential(nn.Flatten(), nn.Linear(256, 10))
    with pytest.raises(NotApplicable, match="no hidden units"):
        FinePruning().without_units(thief(), straight)
