"""Model inversion: images that the stolen net itself is sure of are drawn out of its weights, and then unlearned."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.unlearning.layers import watching
from benchmark import contract as wm

STATISTICS, SMOOTHNESS, SIZE = 0.1, 0.03, 0.01  # weights of what keeps an inverted image near natural ones
RATE = 0.1  # of Adam, as published
AT_ONCE = 256  # images that are inverted together
SALIENT = 0.95  # quantile of the features, by mean over deviation, above which they speak for their class
OUTLYING, COMPARABLE = 2.0, 1.4826  # as in Neural Cleanse
STEPS, LEAST = 5, 16  # that a pass takes at least, unless batches would have fewer images than these


@dataclass(frozen=True)
class Dehydrate(wm.Attack):
    """Images that the stolen net takes for each class are drawn out of its weights and unlearned beside clean ones.

    Lu et al. 2024. Adam moves noise until the net is sure of a class, held near natural images by the statistics of
    batch normalisation, total variation and size; what the mark taught comes out too. `basic`: answers to these images
    are driven to the uniform, beside cross-entropy on clean images. `improved`: of each class the half that speaks
    least for it, by the features whose mean over deviation is above the 95 % quantile, gets another label: one at
    random where the mark has one class, and only its images, else the least likely one. `data-free`: the other halves
    stand for the clean images.

    Different from the authors' code: the class of the mark is detected (the net's answers to blends of two classes'
    images), where theirs has it typed in, and so have the least likely labels; all classes are inverted together, and
    statistics are taken over all; they count in every layer. The divergence is summed over the classes, so the weight
    of 15, on their mean over ten, would be 1.5 here. Scaled to a small net and few images: 20 images of a class and 40
    steps, where they take 250 and 400 to 1,000, rate 0.05. His images without labels get those of the service.
    """

    name = "dehydrate"
    family = "unlearning"
    kind = "removal"
    access = "weights"
    paper = "Lu et al. 2024, CCS (arXiv:2309.03466)"
    settings = ("", "variant=improved", "variant=data-free")

    variant: Literal["basic", "improved", "data-free"] = wm.parameter(
        "basic", "all inverted images are unlearned; improved: half of them; data-free: beside the other half"
    )
    images: int = wm.parameter(20, "inverted images of each class", low=2)
    steps: int = wm.parameter(40, "steps of Adam on every inverted image", low=1)
    weight: float = wm.parameter(1.0, "of what is unlearned, beside 1 for what is learnt", low=0.0)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the images that are learnt", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        drawn = inverted(thief, model, self.images, self.steps)
        kept, forgotten = (drawn, drawn) if self.variant == "basic" else parted(thief, model, drawn)
        learnt = kept if self.variant == "data-free" else thief.annotated
        wrong: Callable[[Tensor, Tensor], Tensor] = surprise if self.variant == "basic" else F.cross_entropy

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            (x, y), (other, labels) = batches
            known, unlearned = model(torch.cat([x, other])).float().split([len(x), len(other)])
            return F.cross_entropy(known, y) + self.weight * wrong(unlearned, labels)

        batch = min(thief.recipe().batch, max(LEAST, len(learnt) // STEPS))
        recipe = thief.recipe(lr=self.lr, epochs=self.epochs, batch=batch)
        return thief.fit(model, recipe, data=learnt, beside=[wm.BatchSource.of(forgotten, batch)], step=step)


def surprise(answers: Tensor, _: Tensor) -> Tensor:
    """How far answers (N, classes) are from giving every class alike: their divergence from it, but for a constant."""
    return -answers.log_softmax(1).mean()


def inverted(thief: wm.Thief, model: nn.Module, each: int, steps: int) -> wm.Data:
    """Images that `model` takes for what their labels say, `each` of every class, the classes in turn."""
    frozen = copy.deepcopy(model).eval().requires_grad_(False)
    norms = [layer for layer in frozen.modules() if isinstance(layer, nn.BatchNorm2d)]
    labels = torch.arange(each * thief.task.classes, device=thief.device) % thief.task.classes
    noise = torch.randn(len(labels), *thief.task.shape, generator=thief.rng).to(thief.device)
    parts = list(zip(noise.split(AT_ONCE), labels.split(AT_ONCE), strict=True))
    with watching(norms, "enters") as entering:

        def loss() -> Tensor:
            x = latent.sigmoid()
            answers = frozen(x)
            rough = x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()
            total = F.cross_entropy(answers, y) + SMOOTHNESS * rough + SIZE * x.square().mean()
            for norm, z in zip(norms, entering, strict=True):
                mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
                gap = (z.mean((0, 2, 3)) - mean).norm() + (z.var((0, 2, 3)) - variance).norm()
                total = total + STATISTICS * gap
            return total

        for latent, y in parts:
            thief.minimise(loss, [latent.requires_grad_()], steps, RATE, images=len(y))
    return wm.Data(torch.cat([wm.as_bytes(latent.detach().sigmoid()) for latent, _ in parts]), labels)


def parted(thief: wm.Thief, model: nn.Module, drawn: wm.Data) -> tuple[wm.Data, wm.Data]:
    """The upper halves of all classes, and the lower ones under other labels: of all classes, or of the marked."""
    classes = thief.task.classes
    lower, upper = halves(model, drawn, classes)
    marked = standing_out(model, drawn, classes)
    if marked is None:
        return upper, wm.Data(lower.x, wm.logits(model, lower.images()).argmin(1))
    lower, stays = (part.take((part.y == marked).nonzero().flatten()) for part in (lower, upper))
    shift = torch.randint(1, classes, (len(lower),), generator=thief.rng).to(lower.y.device)
    return upper, wm.Data(lower.x, (lower.y + shift) % classes).joined(stays)


def halves(model: nn.Module, drawn: wm.Data, classes: int) -> tuple[wm.Data, wm.Data]:
    """The images of each class that speak least for it, and the others."""
    (features,) = wm.entering(model, [wm.head_name(model)], drawn.images())
    lower, upper = [], []
    for one in range(classes):
        index = (drawn.y == one).nonzero().flatten()
        mine = features[index]
        salience = mine.mean(0) / (mine.std(0) + 1e-6)
        salient = salience >= salience.quantile(SALIENT)
        order = index[mine[:, salient].mean(1).argsort()]
        lower.append(order[: len(order) // 2])
        upper.append(order[len(order) // 2 :])
    return drawn.take(torch.cat(lower)), drawn.take(torch.cat(upper))


def standing_out(model: nn.Module, drawn: wm.Data, classes: int) -> int | None:
    """The class that wins most when images of two classes are blended, if it stands out from all others."""
    by_class = drawn.images()[drawn.y.argsort(stable=True)].unflatten(0, (classes, -1))
    wins = torch.zeros(classes)
    for one in range(classes):
        others = by_class[torch.arange(classes, device=by_class.device) != one]
        blended = (by_class[one] + others).flatten(0, 1) / 2
        wins[one] = (wm.logits(model, blended).argmax(1) == one).float().mean()
    gaps = wins - wins.quantile(0.5)
    apart = gaps / (COMPARABLE * gaps.abs().quantile(0.5) + 1e-6)
    return int(apart.argmax()) if float(apart.max()) > OUTLYING else None
