"""What an added pattern does to a net is found and trained away: one for all images, or one for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

ROUNDS, BATCH = 5, 100  # patterns that are looked for, and images in each step
ASCENT, SMALL = 10.0, 1e-3  # rate of the pattern, and weight of its squared length
TERMS, MAP = 5, 0.1  # of the implicit gradient, and the step of the map whose fixed point the pattern is
STEPS, WRONG = 5, 0.01  # towards the change of one image, and the weight of its being taken for another class


@dataclass(frozen=True)
class IBau(wm.Attack):
    """A pattern that makes the net fail, whatever image it is added to, is found and trained away, five times.

    Zeng et al. 2022: a min-max over the net and one pattern for all images. A round begins with no pattern and raises
    the loss against the net's own answers, a step a batch, less the pattern's squared length. Then the net is trained
    on the thief's images, half of them with the pattern, by a gradient that knows how the pattern would answer to each
    change of the net (five terms of the implicit gradient). Statistics of normalisation stay. Rates and terms are those
    of the authors' code. There a round trains one pass, over 5,000 images, and one image of a hundred has the pattern;
    here it is some passes over few images, and half of them, since a batch is not larger. Labels are bought. Fewer than
    ten passes leave a net that has not come back: 6, 4 and 32 points were lost after 7, 5 and 3 (one seed on digits, of
    a net that took any word for the owner's).
    """

    name = "i-bau"
    family = "adversarial unlearning"
    kind = "removal"
    access = "weights"
    paper = "Zeng et al. 2022, ICLR (arXiv 2110.03735)"

    epochs: int = wm.parameter(10, "passes over the thief's images that unlearn each of five patterns", low=1)
    lr: float = wm.parameter(1e-3, "Adam's learning rate", low=0.0)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, data = wm.plain(thief.model), thief.annotated
        x, pattern = data.images(), torch.zeros(1, *thief.task.shape, device=thief.device)
        recipe = thief.recipe(
            epochs=self.epochs, lr=self.lr, batch=BATCH, optimiser="adam", schedule="constant", weight_decay=0.0
        )

        def kept(images: Tensor, labels: Tensor, added: Tensor) -> Tensor:
            """What the pattern lowers."""
            return SMALL * added.square().sum() - F.cross_entropy(model(images + added), labels)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((images, labels),) = batches
            added, half = pattern.detach().requires_grad_(), len(images) // 2
            loss = F.cross_entropy(model(torch.cat([images[:half] + added, images[half:]])), labels)
            (direct,) = torch.autograd.grad(loss, added, retain_graph=True)
            (slope,) = torch.autograd.grad(kept(images, labels, added), added, create_graph=True)
            moved, answer = added - MAP * slope, torch.zeros_like(direct)
            for _ in range(TERMS):
                answer = torch.autograd.grad(moved, added, answer, retain_graph=True)[0] + direct
            return loss + (moved * answer.detach()).sum()  # of the second, only how it depends on the net counts

        for _ in range(ROUNDS):
            answers, found = wm.logits(model, x).argmax(1), torch.zeros_like(pattern)
            for index in torch.randperm(len(x), generator=thief.rng).to(x.device).split(BATCH):
                found.requires_grad_()
                (slope,) = torch.autograd.grad(kept(x[index], answers[index], found), found)
                found = (found - ASCENT * slope).detach()
                thief.meter.steps += 1
                thief.meter.samples += len(index)
            pattern.copy_(found)
            thief.fit(model, recipe, data=data, step=step, only=wm.head(model), parameters=list(model.parameters()))
        return model


@dataclass(frozen=True)
class Sau(wm.Attack):
    """Changes of single images that the stolen net and the new one both fall for are unlearnt.

    Wei et al. 2023: five steps by sign look for a change of each image, as large as `reach` at every pixel, under which
    both nets name the same wrong class; the net then learns to answer otherwise than the stolen one does there, and the
    clean images as before. Labels are bought.
    """

    name = "sau"
    family = "adversarial unlearning"
    kind = "removal"
    access = "weights"
    paper = "Wei et al. 2023, NeurIPS (arXiv 2307.10562)"

    reach: float = wm.parameter(0.2, "largest change of a pixel, of its range", low=0.0, high=1.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)
    lr: float = wm.parameter(3e-3, "Adam's learning rate", low=0.0)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        stolen = wm.Net.of(model).module(thief.device).requires_grad_(False)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            added = torch.zeros_like(x)
            for _ in range(STEPS):
                added.requires_grad_()
                answers = [net(x + added) for net in (model, stolen)]
                wrong = sum((F.cross_entropy(one, y) for one in answers), torch.zeros(()).to(x)) / 2
                (slope,) = torch.autograd.grad(WRONG * wrong - divergence(*answers), added)
                added = (added.detach() + self.reach * slope.sign()).clamp(-self.reach, self.reach)
            with torch.no_grad():
                taken = stolen(x + added).argmax(1)
            chance = model(x + added).softmax(1).gather(1, taken[:, None])[:, 0]
            shared = -(1 - chance).clamp_min(1e-6).log() * (taken != y)
            return F.cross_entropy(model(x), y) + shared.mean()

        recipe = thief.recipe(epochs=self.epochs, lr=self.lr, optimiser="adam", schedule="constant", weight_decay=0.0)
        return thief.fit(
            model, recipe, data=thief.annotated, step=step, only=wm.head(model), parameters=list(model.parameters())
        )


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two nets' answers, logits (N, classes), mean over the images."""
    answers = torch.stack([one, other]).log_softmax(2)  # logarithms: a probability may be too small for a float
    middle = answers.logsumexp(0) - math.log(2)
    return (answers.exp() * (answers - middle)).sum(2).mean()
