"""False claims: triggers made on nets of the claimant's own, which nets of others answer as he likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from attacks.claims.ambiguity import moved
from benchmark import contract as wm


@dataclass(frozen=True)
class TransferableTriggers(wm.Attack):
    """Triggers that are adversarial examples of several nets of the claimant's own, claimed on an innocent net.

    Liu et al. 2024 (False Claims against Model Ownership Resolution), section 4: projected gradient steps on the mean
    loss of an ensemble carry over to nets that he never saw. Theirs are trained on data of the victim's distribution,
    as here: his images bear the labels that he has, or buys from the accused service. The labels aimed at are those
    of the scheme's public rule for a secret of his, the only ones that a claim can name here; `eps` is in their
    figures 16/255 for photographs, and larger for digits, whose nets agree about less. Where labels follow from a
    secret by a hash and not from the pictures, only a commitment older than the accused net refutes him.
    """

    name = "transferable-triggers"
    family = "ambiguity"
    paper = "Liu et al. 2024, USENIX Security (arXiv:2304.06607)"
    kind = "false-claim"
    access = "labels"
    requires = "triggers"
    settings = ("", "start=images")

    surrogates: int = wm.parameter(3, "nets of his own that the triggers are made on", low=1)
    epochs: int = wm.parameter(20, "passes over his images in which each is trained", low=1)
    eps: float = wm.parameter(0.25, "largest change of a pixel, as a share of its range", low=0.0, high=1.0)
    steps: int = wm.parameter(40, "gradient steps", low=1)
    start: Literal["triggers", "images"] = wm.parameter("triggers", "pictures of the scheme's kind, or his own images")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        scheme: wm.TriggerScheme = thief.scheme
        own, classes, data = wm.secret(thief.rng), thief.task.classes, thief.annotated
        recipe = thief.recipe(epochs=self.epochs)
        nets = [thief.fit(thief.build(), recipe, data=data).eval() for _ in range(self.surrogates)]
        first = scheme.triggers(thief.keygen()).x
        if self.start == "images":
            first = data.x[torch.randperm(len(data), generator=thief.rng)[: len(first)]]
        goal = scheme.triggers(scheme.trigger_key(first, own, classes)).to(thief.device)
        images = moved(thief, goal, nets, self.eps, self.steps)
        return wm.AttackResult(claim=scheme.trigger_key(wm.as_bytes(images), own, classes))
