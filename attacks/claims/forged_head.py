"""Forgeries against KeyNet: the private head is learnt, so anybody can learn one on anybody's net."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from benchmark import contract as wm


@dataclass(frozen=True)
class ForgedHead(wm.Attack):
    """A private head that the thief fits to the marked model's answers to pictures he signed himself.

    Any net answers a signed picture a little differently, and the head of Jebreel et al. 2021 may be chosen freely:
    theirs is trained with the net, this one afterwards, on queries alone. It learns to see a patch rather than whose
    patch it is, so a court that reads other people's signatures with it mostly refuses it, and one with a fixed
    threshold can't. A head may happen to distinguish signatures as the marked net does; a claim without a commitment is
    charged for such luck.
    """

    name = "forged-head"
    family = "ambiguity"
    paper = "against Jebreel et al. 2021, Applied Sciences 11(3):999"
    kind = "ambiguity"
    access = "probabilities"
    requires = "carriers"

    queries: int = wm.parameter(1500, "signed pictures that the thief asks the stolen model", low=20)
    steps: int = wm.parameter(500, "steps of Adam, each over all answers", low=1)
    lr: float = wm.parameter(0.05, "Adam's step size", low=0.0)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        scheme: wm.CarrierScheme = thief.scheme
        key = thief.keygen()
        signed = scheme.signed_carriers(key, self.queries, thief.task.shape, thief.rng).to(thief.device)
        answers = thief.ask(signed.images()).clamp_min(1e-12).log()
        head = nn.Linear(answers.shape[1], int(signed.y.max()) + 1).to(thief.device)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        parameters = [head.weight, head.bias]
        thief.minimise(lambda: F.cross_entropy(head(answers), signed.y), parameters, self.steps, self.lr)
        return wm.AttackResult(claim=scheme.with_head(key, head.weight, head.bias))


@dataclass(frozen=True)
class FalseHead(ForgedHead):
    """A private head fitted in the same way to the answers of an innocent net, which is then accused.

    No mark is in it: whatever the head reads, it reads in a net that somebody else trained in good faith.
    """

    name = "false-head"
    kind = "false-claim"
