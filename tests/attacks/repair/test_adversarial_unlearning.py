"""Patterns are found and trained away; at no rate nothing changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.repair.adversarial_unlearning import IBau, Sau, divergence


@pytest.mark.parametrize("attack", [IBau(lr=0.0, epochs=1), Sau(lr=0.0, epochs=1)], ids=lambda one: one.name)
def test_at_no_rate_nothing_changes(lab: Any, attack: Any) -> None:
    host = lab.null(100)
    same = lab.attack(attack, host).service.net
    assert all(torch.equal(tensor, same.state[name]) for name, tensor in host.service.net.state.items())


def test_the_divergence_of_equal_answers_is_0_and_of_opposite_ones_that_of_a_bit() -> None:
    one = torch.tensor([[50.0, 0.0], [0.0, 50.0]])
    assert float(divergence(one, one)) == pytest.approx(0, abs=1e-6)
    assert float(divergence(one, one.flip(1))) == pytest.approx(float(torch.tensor(2.0).log()), rel=1e-3)


def test_the_divergence_of_answers_that_rule_a_class_out_has_a_slope() -> None:
    sure = torch.tensor([[150.0, 0.0]], requires_grad=True)
    found = divergence(sure, torch.zeros(1, 2))
    (slope,) = torch.autograd.grad(found, sure)
    assert found.isfinite()
    assert slope.isfinite().all()
