"""Forgeries against KeyNet: the private head is learnt, so anybody can learn one on anybody's net."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from benchmark.contract import Attack, AttackResult, CarrierScheme, Claim, NotApplicable, Thief, parameter


@dataclass(frozen=True)
class ForgedHead(Attack):
    """A private head that the thief fits to the marked model's answers to pictures he signed himself.

    Any net answers a signed picture a little differently, and the head of Jebreel et al. 2021 is free: theirs is
    trained with the net, this one afterwards, on queries alone. It learns to see a patch rather than
    whose patch it is, so a court that reads other people's signatures with it can mostly tell, and one with a fixed
    threshold can't. Not always: a marked net tells signatures apart, and a head may happen to hear that. A claim that
    nobody committed pays for such luck.
    """

    name = "forged-head"
    family = "ambiguity"
    paper = "against Jebreel et al. 2021, Applied Sciences 11(3):999"
    kind = "ambiguity"
    access = "probabilities"
    requires = "carriers"

    queries: int = parameter(1500, "signed pictures that the thief asks the stolen model", low=1)
    steps: int = parameter(500, "steps of Adam, each over all answers", low=1)
    lr: float = parameter(0.05, "Adam's step size", low=0.0)

    def run(self, thief: Thief) -> AttackResult:
        scheme = thief.scheme
        if not isinstance(scheme, CarrierScheme):
            raise NotApplicable(f"{scheme.name} has no private head to forge")
        key = thief.keygen()
        signed = scheme.signed_carriers(key, self.queries, thief.task.shape, thief.rng).to(thief.device)
        answers = thief.ask(signed.images()).clamp_min(1e-12).log()
        head = nn.Linear(answers.shape[1], int(signed.y.max()) + 1).to(thief.device)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        optimiser = torch.optim.Adam(head.parameters(), self.lr)
        for _ in range(self.steps):
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(head(answers), signed.y).backward()
            optimiser.step()
        thief.meter.steps += self.steps
        return AttackResult(claim=Claim(scheme.with_head(key, head.weight, head.bias)))


@dataclass(frozen=True)
class FalseHead(ForgedHead):
    """A private head fitted in the same way to the answers of an innocent net, which is then accused.

    No mark is in it: whatever the head reads, it reads in a net that somebody else trained in good faith.
    """

    name = "false-head"
    kind = "false-claim"
