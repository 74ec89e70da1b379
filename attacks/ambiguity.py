"""Ambiguity: a thief claims the unchanged marked model with a key of his own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.contract import (
    Attack,
    AttackResult,
    Claim,
    NotApplicable,
    Thief,
    TriggerScheme,
    as_bytes,
    parameter,
    secret,
)


@dataclass(frozen=True)
class FreshKey(Attack):
    """A key that the thief draws by the scheme's own rules, claimed on the marked model as it is.

    The naive pirate of Adi et al. 2018 (ownership piracy), who trains nothing: does a key fit by chance?
    """

    name = "fresh-key"
    family = "ambiguity"
    paper = "Adi et al. 2018, USENIX Security"
    kind = "ambiguity"
    access = "labels"

    def run(self, thief: Thief) -> AttackResult:
        return AttackResult(claim=Claim(thief.keygen()))


@dataclass(frozen=True)
class ForgedTriggers(Attack):
    """Fresh triggers, moved by projected gradient steps until the marked model gives them their labels.

    Tests what Adi et al. 2018 call non-trivial ownership. The forged pictures are targeted adversarial
    examples (Madry et al. 2018), as in False Claims (Liu et al. 2024), who make them on other models for
    innocent suspects. The scheme's public rule then labels the new pictures: where labels do not depend on
    the pictures the forgery fits, and only a commitment older than the model refutes it; where they do, it
    is back at chance.
    """

    name = "forged-triggers"
    family = "ambiguity"
    paper = "Adi et al. 2018, USENIX Security; Liu et al. 2024, USENIX Security (arXiv:2304.06607)"
    kind = "ambiguity"
    requires = "triggers"
    settings = ("", "eps=0.03")

    eps: float = parameter(0.125, "largest change of a pixel, as a share of its range", low=0.0, high=1.0)
    steps: int = parameter(40, "gradient steps", low=1)

    def run(self, thief: Thief) -> AttackResult:
        scheme = thief.scheme
        if not isinstance(scheme, TriggerScheme):
            raise NotApplicable(f"{scheme.name} has no triggers to forge")
        own, classes = secret(thief.rng), thief.task.classes
        fresh = scheme.triggers(thief.keygen()).x
        goal = scheme.triggers(scheme.trigger_key(fresh, own, classes)).to(thief.device)
        images = targeted(thief.model, goal.images(), goal.y, self.eps, self.steps)
        thief.meter.steps += self.steps
        thief.meter.samples += self.steps * len(images)
        return AttackResult(claim=Claim(scheme.trigger_key(as_bytes(images), own, classes)))


def targeted(model: nn.Module, start: Tensor, goal: Tensor, eps: float, steps: int) -> Tensor:
    """Images within `eps` of `start` (N, C, H, W), in [0, 1], that `model` is led to call `goal` (N,).

    Signed gradient steps of 2.5 eps / `steps`, projected after each (Madry et al. 2018).
    """
    x = start
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(model(x), goal, reduction="sum"), x)
        x = x - 2.5 * eps / steps * slope.sign()
        x = torch.clamp(start + (x - start).clamp(-eps, eps), 0, 1)
    return x.detach()
