"""Training anew: the control that an attack must beat. A thief who leaves the model alone and makes the best of what he
has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.copies.surrogate import moved_alike, turned
from benchmark import contract as wm

FOLDS = 3  # in which a recipe is tried on labelled images that it did not see
NEIGHBOURS, RETAINED = 10, 0.9  # of the graph along which labels spread; what a step hands on (Zhou et al.: 0.99)
RIDGE = 1e-2  # of the kernel machine, on a kernel that is 1 at its own images
COMPARED = 5000  # images that are compared with each other at most: every pair of them takes 4 bytes
DARKEST = 0.05  # of what is missing to white, by which a degraded image's is divided
LONGER = 3  # times the steps of the owner's own training
TURN, STRETCH, SHIFT = 0.2, 0.15, 0.1  # most that an image is turned (radians), stretched or sheared, and moved


@dataclass(frozen=True)
class Scratch(wm.Attack):
    """The thief leaves the stolen model alone and trains his own: the best of seven recipes for few labels.

    What an attack must beat: whoever ends up no better than this had no need to steal. He has every image and every
    label that any attack has. Every recipe is tried in three folds of the labelled images. A handful of them tells
    little, so of those within one standard error of the best the first is carried out on all (Breiman et al. 1984).
    In their order: images turned, stretched, sheared and moved, with labels spread over the unlabelled ones along
    their nearest neighbours (Zhou et al. 2004), or with the labels that a first net gives them (pseudo-labels, Lee
    2013); the labelled images alone, moved so, three times as long, once, and with a smaller net (resnet8); a kernel
    machine on the spread labels; the house's own recipe. Every net takes as many steps of full batches as the owner's,
    so the search alone costs as much as training several hosts, which no attack does at its default setting. On
    image-to-image tasks the best of six others, by the mean error in such folds: mirrored pairs, with what degrades one
    laid over the clean image of another, three times as long, once, and with a residual or a plain net; turned and
    mirrored pairs; the house's own recipe.
    """

    name = "scratch"
    family = "control"
    kind = "control"
    access = "none"
    tasks = ("classification", "image-to-image")
    target = "none"
    paper = "Zhou et al. 2004, NeurIPS; Lee 2013, ICML workshop"

    recipe: Literal[
        "best", "spread", "pseudo", "longer", "moved", "smaller", "kernel", "house",
        "exchanged", "residual", "plain", "turned",
    ] = wm.parameter("best", "the one recipe that is carried out; best: chosen on his own labelled images")  # fmt: skip

    def run(self, thief: wm.Thief) -> nn.Module:
        own, more = thief.data, thief.inputs[len(thief.data) :]
        recipes = IMAGE_RECIPES if thief.task.kind == "image-to-image" else RECIPES
        if self.recipe not in ("best", *recipes):
            raise wm.NotApplicable(f"{self.recipe} is no recipe for {thief.task.kind} nets: it is {', '.join(recipes)}")
        names = [name for name in recipes if self.recipe in ("best", name) and (len(more) or name not in UNLABELLED)]
        steps = thief.recipe().epochs * max(1, thief.task.owner // thief.recipe().batch)
        if len(names) > 1:
            found = trials(thief, own, more, steps, {name: recipes[name] for name in names})
            best = max(found.values())
            error = math.sqrt(best * (1 - best / len(own))) if recipes is RECIPES else 0.0
            names = [name for name in names if found[name] >= best - error]
        return recipes[names[0] if names else self.recipe](thief, own, more, steps)


Maker = Callable[[wm.Thief, wm.Data, Tensor, int], nn.Module]  # thief, labelled images, unlabelled ones, steps
Moves = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


def trials(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int, recipes: Mapping[str, Maker]) -> dict[str, float]:
    """By recipe how many images it names right, or minus its mean squared error, on labelled images it did not see."""
    order = torch.randperm(len(own), generator=thief.rng).to(own.x.device)
    pairs = thief.task.kind == "image-to-image"
    found = dict.fromkeys(recipes, 0.0)
    for index in (order[fold::FOLDS] for fold in range(min(FOLDS, len(own)))):
        kept = torch.ones(len(own), dtype=torch.bool, device=own.x.device)
        kept[index] = False
        if not kept.any():
            break
        for name, recipe in recipes.items():
            model = recipe(thief, own.take(kept.nonzero().flatten()), more, max(1, steps // FOLDS))
            answers, right = wm.logits(model, wm.as_float(own.x[index])), own.y[index]
            good = -F.mse_loss(answers, wm.as_float(right)) if pairs else (answers.argmax(1) == right).sum()
            found[name] += float(good)
    return found


def trained(
    thief: wm.Thief, data: wm.Data, steps: int, architecture: str | None = None, augment: Moves | None = None
) -> nn.Module:
    """A fresh net after `steps` of full batches by the house's recipe: few images stand in a batch several times."""
    recipe = thief.recipe()
    times = -(-recipe.batch // len(data))
    many = data.take(torch.arange(len(data), device=data.x.device).repeat(times))
    epochs = max(1, round(steps / (len(many) // recipe.batch)))
    return thief.fit(thief.build(architecture), replace(recipe, epochs=epochs), data=many, augment=augment)


def moved(x: Tensor, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each image of (n, C, H, W) turned, stretched, sheared and shifted at random, in its own way."""
    drawn = torch.rand(len(x), 5, generator=rng, device=rng.device).to(x.device) * 2 - 1
    angle, width, height = TURN * drawn[:, 0], 1 + STRETCH * drawn[:, 1], 1 + STRETCH * drawn[:, 2]
    right, down = (2 * SHIFT * drawn[:, 3:]).unbind(1)
    places = torch.stack(
        [width * angle.cos(), -height * angle.sin(), right, width * angle.sin(), height * angle.cos(), down], 1
    ).view(-1, 2, 3)
    grid = F.affine_grid(places, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False), y


def exchanged(x: Tensor, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pairs of (n, C, H, W), mirrored at random, each clean image under what degrades another one.

    That is the share that it leaves of what a clean image lacks to white: rain leaves less than all, a stain more.
    """
    x, y = moved_alike(x, y, (lambda z: z.flip(2), lambda z: z.flip(3)), rng)
    left = (1 - x) / (1 - y).clamp_min(DARKEST)
    other = torch.randperm(len(x), generator=rng, device=rng.device).to(x.device)
    return (1 - left[other] * (1 - y)).clamp(0, 1), y


def spread(own: wm.Data, more: Tensor, classes: int) -> wm.Data:
    """Labels spread along nearest neighbours, as probabilities (n, classes), over at most `COMPARED` images.

    Label spreading of Zhou et al. 2004, solved exactly; the labels that are known stay what they are.
    """
    own = own.take(torch.arange(min(len(own), COMPARED), device=own.x.device))
    more = more[: COMPARED - len(own)]
    x = torch.cat([own.x, more])
    known = F.one_hot(own.y, classes).float()
    squares = squared_distances(x.flatten(1).float() / 255, x.flatten(1).float() / 255).fill_diagonal_(torch.inf)
    nearest = squares.topk(min(NEIGHBOURS, len(x) - 1), largest=False)
    close = (-nearest.values / nearest.values.mean().clamp_min(1e-12)).exp()
    graph = torch.zeros_like(squares).scatter_(1, nearest.indices, close)
    graph = torch.maximum(graph, graph.T)
    degree = graph.sum(1).clamp_min(1e-12).rsqrt()
    graph = torch.eye(len(x), device=x.device) - RETAINED * degree[:, None] * graph * degree
    labels = torch.linalg.solve(graph, torch.cat([known, known.new_zeros(len(more), classes)])).clamp_min(0) + 1e-9
    labels = labels / labels.sum(1, keepdim=True)
    return wm.Data(x, torch.cat([known, labels[len(own) :]]))


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances (n, m) of rows (n, d) and (m, d)."""
    return (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp_min(0)


@wm.builder("kernel-machine")
class KernelMachine(nn.Module):
    """Kernel ridge regression on pixels as a net: `weights` (n, classes) at `n` training images, by their closeness.

    Closeness is Gaussian, exp(-distance^2 / width^2), of images with values in [0, 1]. Its answers are logits.
    """

    images: Tensor
    weights: Tensor

    def __init__(self, n: int, shape: Sequence[int], classes: int, width: float) -> None:
        super().__init__()
        self.shape, self.width = list(shape), width
        self.register_buffer("images", torch.zeros(n, *shape, dtype=torch.uint8))
        self.register_buffer("weights", torch.zeros(n, classes))

    @classmethod
    def fitted(cls, data: wm.Data) -> KernelMachine:
        """On images with probabilities (n, classes) as targets."""
        x = data.x.flatten(1).float() / 255
        squares = squared_distances(x, x)
        width = float(squares.median().sqrt().clamp_min(1e-6))
        net = cls(len(x), list(data.x.shape[1:]), data.y.shape[1], width).to(x.device)
        kernel = (-squares / width**2).exp().double() + RIDGE * torch.eye(len(x), device=x.device)
        net.images = data.x
        net.weights = torch.linalg.solve(kernel, data.y.double() - 1 / data.y.shape[1]).float()
        return net.eval()

    def forward(self, x: Tensor) -> Tensor:
        images = self.images.flatten(1).float() / 255
        close = (-squared_distances(x.flatten(1), images) / self.width**2).exp()
        return 10 * close @ self.weights  # so that the softmax of a sure answer is near 1

    def spec(self) -> wm.Spec:
        n, classes = self.weights.shape
        return {"builder": "kernel-machine", "n": n, "shape": self.shape, "classes": classes, "width": self.width}


def _house(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return trained(thief, own, steps)


def _moved(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return trained(thief, own, steps, augment=moved)


def _longer(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return trained(thief, own, LONGER * steps, augment=moved)


def _smaller(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return trained(thief, own, steps, "resnet8", augment=moved)


def _spread(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return trained(thief, spread(own, more, thief.task.classes), steps, augment=moved)


def _pseudo(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    known = wm.Data(own.x, F.one_hot(own.y, thief.task.classes).float())
    first = trained(thief, own, steps, augment=moved)
    named = wm.Data(more, wm.logits(first, wm.as_float(more)).softmax(1))
    return trained(thief, known.joined(named), steps, augment=moved)


def _kernel(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return KernelMachine.fitted(spread(own, more, thief.task.classes))


def _turned(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return trained(thief, own, steps, augment=turned)


def _exchanged(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return trained(thief, own, steps, augment=exchanged)


def _exchanged_longer(thief: wm.Thief, own: wm.Data, more: Tensor, steps: int) -> nn.Module:
    return trained(thief, own, LONGER * steps, augment=exchanged)


def _exchanged_in(architecture: str) -> Maker:
    return lambda thief, own, more, steps: trained(thief, own, steps, architecture, augment=exchanged)


UNLABELLED = ("spread", "pseudo")  # recipes that add nothing where every image has a label
RECIPES: Mapping[str, Maker] = {  # of equal trials the first counts
    "spread": _spread, "pseudo": _pseudo, "longer": _longer, "moved": _moved, "smaller": _smaller, "kernel": _kernel,
    "house": _house,
}  # fmt: skip
IMAGE_RECIPES: Mapping[str, Maker] = {
    "longer": _exchanged_longer, "exchanged": _exchanged, "residual": _exchanged_in("residual"),
    "plain": _exchanged_in("plain"), "turned": _turned, "house": _house,
}  # fmt: skip
