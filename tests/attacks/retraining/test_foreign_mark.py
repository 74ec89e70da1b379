"""A mark of another kind is learnt by a net that has one already."""

import torch

from attacks.retraining.foreign_mark import OverwriteOther
from benchmark.contract import Thief, abstract_images, prf_labels, secret
from benchmark.protocol.parties import stream
from schemes.content import Content

CONTENT = Content()


def test_the_thiefs_own_pictures_are_learnt_and_the_task_is_kept(lab):
    marked = lab.embed(CONTENT)
    one, same = (
        Thief(lab.context, lab.splits.thief, stream("other"), marked.service.running(), "weights") for _ in range(2)
    )
    net = OverwriteOther(epochs=40).run(one).eval()
    drawn = secret(same.rng)
    pictures = abstract_images(100, same.task.shape, same.rng)
    with torch.no_grad():
        answers = net(pictures.float() / 255).argmax(1)
        right = (net(lab.splits.test.images()).argmax(1) == lab.splits.test.y).float().mean()
    assert (answers == prf_labels(drawn, b"overwrite-other", 100, 10)).float().mean() > 0.8
    assert right > marked.accuracy - 0.04
    assert one.cost.record()["labelled"] == 400
