"""Selective amnesia: the stolen net unlearns everything from random labels, and relearns the task alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from attacks.finetune import passes
from attacks.retraining.tuning import accuracy, tuned
from benchmark import contract as wm

FORGOTTEN = 0.2  # share of his images that the net still names right when it counts as having forgotten


@dataclass(frozen=True)
class Amnesia(wm.Attack):
    """Trained on wrong labels until it names fewer than a fifth of the images right, then on right ones.

    Zhu et al. 2023 (SEAM), section IV: random labels make a net forget what it can't be asked about as well, and what
    is shown again comes back. Every image gets another wrong label each time it is seen, as in the authors' code,
    which draws no right one. It forgets on 0.1 % and relearns on 10 % of the training set; here the thief does both
    on all of his images, with labels bought where he has none. The relearning rate falls to a tenth twice.
    """

    name = "seam"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Zhu et al. 2023, IEEE S&P (arXiv:2212.04687)"
    settings = ("lr=0.1", "lr=0.05")

    forget: float = wm.parameter(0.01, "learning rate on wrong labels, constant", low=0.0)
    rounds: int = wm.parameter(30, "epochs of wrong labels, at most", low=0)
    lr: float = wm.parameter(0.1, "learning rate on right labels at its highest", low=0.0)
    epochs: int = wm.parameter(20, "passes with right labels", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, data = wm.plain(thief.model), thief.annotated
        recipe = thief.recipe(lr=self.forget, schedule="constant")
        once = replace(recipe, epochs=passes(data, recipe, 1))

        def wrong(x: Tensor, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            others = torch.randint(1, thief.task.classes, y.shape, generator=rng, device=rng.device).to(y.device)
            return x, (y + others) % thief.task.classes

        for _ in range(self.rounds):
            if accuracy(model, data) < FORGOTTEN:
                break
            thief.fit(model, once, data=data, augment=wrong)
        return tuned(thief, model, self.lr, self.epochs, schedule="steps", drops=(0.5, 0.75))
