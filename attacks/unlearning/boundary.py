"""Moving the boundaries between classes: images are pushed across one and learnt under labels drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.finetune import redraw_head
from benchmark import contract as wm

PUBLISHED_STEP = 2.0  # in standard deviations of the task's pixels
SPARED = 0  # the class that the authors' code never draws as a label: the one that their owner chose


@dataclass(frozen=True)
class Wrk(wm.Attack):
    """Clean images, pushed by one step toward another class, get labels at random; head drawn anew, and trained.

    Xiao et al. 2026 (WRK): a mark of any kind lives where decision boundaries are odd, and what is pushed across them
    under wrong labels straightens them. The new head is kept unlike the old one by `alpha` x their inner product, as in
    feature shift tuning. `blind` works in [0, 1] and draws labels among all classes but the true one. `published`
    does what the authors' code does: it steps by two standard deviations and clips what is normalised to [0, 1], which
    leaves nearly binary images, and it never draws class 0, which is the one that their owners chose. Here owners draw
    theirs, so it tells this thief nothing of the mark. Different: every image has a goal of its own, where theirs is
    one for a batch; rate 0.05 where theirs is 0.001, since a pass takes 14 steps here and 80 there.
    """

    name = "wrk"
    family = "unlearning"
    kind = "removal"
    access = "weights"
    paper = "Xiao et al. 2026, AAAI (arXiv:2511.07947)"
    settings = ("", "variant=published")

    variant: Literal["blind", "published"] = wm.parameter("blind", "steps in [0, 1] and all labels; or as published")
    images: int = wm.parameter(100, "clean images that are pushed across a boundary", low=0)
    eps: float = wm.parameter(0.5, "the step, as a share of a pixel's range; blind only", low=0.0, high=1.0)
    alpha: float = wm.parameter(0.01, "weight of the likeness of the new head to the old one", low=0.0)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the images that are trained on", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, own = wm.plain(thief.model), thief.annotated
        taught = own.joined(self.pushed(thief, model, own)) if self.images else own
        old = wm.head(model).weight.detach().clone()
        head = redraw_head(thief, model)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            return F.cross_entropy(model(x), y) + self.alpha * (head.weight * old).sum()

        recipe = thief.recipe(lr=self.lr, epochs=self.epochs, batch=32)
        return thief.fit(model, recipe, data=taught, step=step)

    def pushed(self, thief: wm.Thief, model: nn.Module, own: wm.Data) -> wm.Data:
        """Images of `own`, each a step nearer to a class drawn at random, under another class drawn at random."""
        chosen = own.take(torch.randperm(len(own), generator=thief.rng)[: self.images].to(own.x.device))
        published = self.variant == "published"
        if published and thief.task.classes < 3:
            raise wm.NotApplicable("as published, no image gets its own class or class 0: two classes leave none")
        goal = torch.randint(thief.task.classes, (len(chosen), 1), generator=thief.rng).to(thief.device)
        wrong = torch.ones(len(chosen), thief.task.classes).scatter_(1, chosen.y[:, None].cpu(), 0.0)
        if published:
            wrong[:, SPARED] = 0.0
        mean, std = (
            torch.tensor(part, device=thief.device).view(-1, 1, 1)
            for part in ((thief.task.mean, thief.task.std) if published else ((0.0,), (1.0,)))
        )
        x = ((chosen.images() - mean) / std).requires_grad_()
        thief.minimise(
            lambda: -model(x * std + mean).gather(1, goal).sum(), [x], 1, PUBLISHED_STEP if published else self.eps,
            rule="sign", project=lambda z: z.clamp(0, 1), images=len(x),
        )  # fmt: skip
        labels = torch.multinomial(wrong, 1, generator=thief.rng).flatten().to(thief.device)
        return wm.Data(wm.as_bytes(x.detach() * std + mean), labels)
