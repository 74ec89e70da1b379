from attacks.retraining.labels import LabelNoise, LabelSmoothing
from benchmark.contract import logits


def sureness(lab, one, attack):
    """Mean probability of the likeliest class on the judge's images."""
    return float(logits(attack.run(one), lab.splits.test.images()).softmax(1).amax(1).mean())


def test_the_net_is_as_sure_as_its_labels(lab, thief):
    smooth, plain = (sureness(lab, thief(), LabelSmoothing(smoothing)) for smoothing in (0.3, 0.0))
    assert smooth < 0.8 < 0.9 < plain


def test_random_labels_take_sureness_and_at_last_the_task(lab, thief):
    some, all_of_them = (sureness(lab, thief(), LabelNoise(share)) for share in (0.3, 1.0))
    assert all_of_them < 0.4 < some < 0.9
