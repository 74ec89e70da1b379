from collections.abc import Callable

import pytest
import torch
from lab import Lab

from benchmark.contract import Thief
from benchmark.data.splits import Holdings
from benchmark.protocol.parties import stream


@pytest.fixture
def thief(lab: Lab) -> Callable[..., Thief]:
    """Makes thieves of an unmarked net, who draw alike: with so many images with labels, and without."""

    def made(labelled: int = 128, unlabelled: int = 0) -> Thief:
        pool = lab.splits.thief
        images = Holdings(pool.take(torch.arange(labelled)), pool.x[labelled : labelled + unlabelled])
        return Thief(lab.context, images, stream("retraining"), lab.null(100).service.running(), "weights")

    return made
