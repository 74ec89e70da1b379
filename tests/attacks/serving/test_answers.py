"""Filters of answers: what is left of the probabilities, and that no label changes which shouldn't."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.serving.answers import NoisedAnswers, RoundedAnswers, TopOne
from schemes.adi import Adi


def asked(lab: Any, attack: Any, access: str) -> torch.Tensor:
    found: torch.Tensor = lab.attack(attack, lab.null(0)).service.running().ask(lab.splits.test.images(), access)
    return found


def plain(lab: Any, access: str) -> torch.Tensor:
    found: torch.Tensor = lab.null(0).service.running().ask(lab.splits.test.images(), access)
    return found


def test_the_likeliest_class_is_all_that_is_said(lab: Any) -> None:
    found = asked(lab, TopOne(), "probabilities")
    assert torch.equal(found, torch.nn.functional.one_hot(plain(lab, "labels"), 10).float())


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_probabilities_are_rounded_and_labels_stay(lab: Any, decimals: int) -> None:
    found, exact = asked(lab, RoundedAnswers(decimals), "probabilities"), plain(lab, "probabilities")
    assert torch.equal(found.argmax(1), exact.argmax(1))
    sums = exact.round(decimals=decimals).sum(1, keepdim=True)
    said = sums[:, 0] > 0.5  # at 0 decimals nothing may be left but the label
    torch.testing.assert_close((found * sums)[said], exact.round(decimals=decimals)[said], atol=1e-4, rtol=0)
    assert (found - exact).abs().max() > 0.2 * 10**-decimals


def test_noise_is_on_every_probability_and_nothing_at_strength_nothing(lab: Any) -> None:
    exact = plain(lab, "probabilities")
    quiet, loud = (asked(lab, NoisedAnswers(sigma), "probabilities") for sigma in (0.0, 0.1))
    torch.testing.assert_close(quiet, exact, atol=2e-5, rtol=0)
    floor = loud < 1e-5
    assert 0.2 < float(floor.float().mean()) < 0.6  # about half the small ones are pushed below nothing
    assert (loud.argmax(1) == exact.argmax(1)).float().mean() > 0.97
    assert (loud.argmax(1) != exact.argmax(1)).any() or (loud - exact).abs().mean() > 0.02


def test_a_mark_that_is_read_in_labels_can_t_notice(lab: Any) -> None:
    adi = Adi()
    marked = lab.embed(adi)
    for attack in (TopOne(), RoundedAnswers()):
        assert lab.total(lab.observe(adi, lab.attack(attack, marked, adi), marked.key)) == lab.total(
            lab.observe(adi, marked)
        )
