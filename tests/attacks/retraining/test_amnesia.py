from attacks.retraining.amnesia import FORGOTTEN, Amnesia
from attacks.retraining.tuning import accuracy


def test_the_task_is_forgotten_before_it_is_learnt_again(lab, thief):
    one = thief()
    still, back = Amnesia(lr=0.0, epochs=1).run(thief()), Amnesia().run(one)
    assert accuracy(one.model, one.data) > 0.9
    assert accuracy(still, one.data) < FORGOTTEN + 0.1  # the statistics of normalisation go on adapting
    assert accuracy(back, lab.splits.test) > 0.85


def test_forgetting_ends_when_it_is_done(thief):
    short, long = thief(), thief()
    Amnesia(rounds=29, lr=0.0, epochs=1).run(short)
    Amnesia(rounds=30, lr=0.0, epochs=1).run(long)
    assert short.meter.steps == long.meter.steps < 29 * 6
