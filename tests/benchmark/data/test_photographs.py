"""The two photographs: real ones, in both colours, and no others."""

from __future__ import annotations

import pytest
import torch

from benchmark.data.photographs import SHA256, photographs


def test_both_are_there_in_grey_and_in_colour_and_enlarged() -> None:
    grey, colour = photographs(1), photographs(3)
    assert (grey.shape, colour.shape) == ((2, 427, 640, 1), (2, 427, 640, 3))
    assert grey.dtype == colour.dtype == torch.uint8
    assert float((colour[..., 0].float() - colour[..., 2].float()).abs().mean()) > 10
    assert photographs(1, 2).shape == (2, 854, 1280, 1)


def test_other_photographs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    photographs.cache_clear()
    monkeypatch.setitem(SHA256, "china.jpg", "0" * 64)
    with pytest.raises(ValueError, match=r"china.jpg is missing, or is not the picture of scikit-learn's package"):
        photographs(1)
