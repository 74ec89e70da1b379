"""What `run` may return, whatever the attack: a net that stays finite, filters that do, and a key as the claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from benchmark.contract import Attack, AttackResult, Thief
from benchmark.protocol.objects import Release
from benchmark.protocol.steps import steal


@dataclass(frozen=True, eq=False)
class Toy(Attack):
    name = "toy"

    returns: Any

    def run(self, thief: Thief) -> Any:
        return self.returns(thief.model)


def spoilt(model: nn.Module) -> nn.Module:
    next(model.parameters()).data[0] = float("nan")
    return model


@pytest.mark.parametrize(
    ("returns", "error", "sentence"),
    [
        (lambda _: None, TypeError, r"returned NoneType: run\(\) must return a Module or AttackResult"),
        (spoilt, ValueError, "returned a model with NaN or infinity in "),
        (lambda model: AttackResult(filters=(spoilt(model),)), ValueError, "returned a model with NaN or infinity in "),
        (lambda _: AttackResult(claim=b"mine"), TypeError, "returned a bytes as its claim: it must be a Key"),
        (lambda _: torch.nn.Identity(), TypeError, r"Identity has no spec\(\)"),
    ],
    ids=["nothing", "nan", "filter", "claim", "no spec"],
)
def test_what_an_attack_may_not_return(lab: Any, returns: Any, error: type[Exception], sentence: str) -> None:
    release = Release(lab.null(100).service, "weights")
    with pytest.raises(error, match=sentence):
        steal([Toy(returns)], lab.context, lab.splits.thief, 0, release)
