"""A service that is asked for mirrored images: the restored image is as good, and the mark the wrong way round."""

from __future__ import annotations

from typing import Any

import torch

from attacks.images.mirror import MirrorImages


def test_the_answer_is_that_to_the_mirrored_image_mirrored_back(image_lab: Any) -> None:
    service = image_lab.null(0)
    mirrored = image_lab.attack(MirrorImages(), service)
    x = image_lab.splits.test.images()
    wanted = service.service.running().ask(x.flip(3), "outputs").flip(3)
    torch.testing.assert_close(mirrored.service.running().ask(x, "outputs"), wanted)
    assert abs(mirrored.accuracy - service.accuracy) < 0.2  # dB
