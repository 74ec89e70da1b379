"""Transfer: the stolen net learns another task before it returns to the old one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Transfer(wm.Attack):
    """All layers are fine-tuned, under a new head, on another task; then the stolen head is put back.

    Adi et al. 2018 and Fan et al. 2019 (DeepIPR) verify after a transfer with the owner's head in its old place; so
    does this court, and the utility is that of the old task. Neither new task needs a label of the old one. `rotation`:
    which way an image of the thief was turned, by 0, 90, 180 or 270 degrees (Gidaris et al. 2018). `shapes`: another
    data set of the same size, as in the papers, here of procedural pictures: which shape is in it. Chain
    `transfer+finetune(mode=ftll)` for a thief who fits the head to the changed layers. Nets that derive their scales
    (passports) are folded first.
    """

    name = "transfer"
    family = "transfer"
    kind = "removal"
    access = "weights"
    paper = "Adi et al. 2018, USENIX Security; Gidaris et al. 2018, ICLR (arXiv:1803.07728)"
    settings = ("task=rotation", "task=shapes")

    lr: float = wm.parameter(0.01, "learning rate, constant", low=0.0)
    epochs: int = wm.parameter(10, "passes over the new task's images, four for each image that is turned", low=1)
    task: Literal["rotation", "shapes"] = wm.parameter("rotation", "his images, turned; or a procedural data set")
    pictures: int = wm.parameter(2000, "pictures of the data set of shapes", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        if self.task == "shapes":
            new = shapes(self.pictures, thief.task.shape, thief.rng).to(thief.device)
        else:
            new = turned(thief.inputs)
        model = wm.plain(thief.model)
        old, name = wm.head(model), wm.head_name(model)
        spec = {**wm.Net.of(model).spec, "classes": len(SHAPES) if self.task == "shapes" else 4}
        model.set_submodule(name, wm.head(thief.assemble(spec)))
        # mirrored, what was turned by one quarter looks like what was turned by three
        recipe = thief.recipe(lr=self.lr, epochs=self.epochs, schedule="constant", flip=False)
        thief.fit(model, recipe, data=new)
        model.set_submodule(name, old)
        return model


def turned(x: Tensor) -> wm.Data:
    """Square images (N, C, H, W) turned by 0 to 3 quarters, which is their class. Raises NotApplicable for others."""
    if x.shape[2] != x.shape[3]:
        raise wm.NotApplicable("the new task turns images by 90 degrees, so they must be square: take task=shapes")
    quarters = torch.arange(4, device=x.device).repeat_interleave(len(x))
    return wm.Data(torch.cat([x.rot90(quarter, (2, 3)) for quarter in range(4)]), quarters)


# where a shape of radius 1 is, by the coordinates u and v seen from its middle
SHAPES: Sequence[Callable[[Tensor, Tensor], Tensor]] = (
    lambda u, v: u.hypot(v) < 1,  # disc
    lambda u, v: (u.hypot(v) < 1) & (u.hypot(v) > 0.6),  # ring
    lambda u, v: u.abs().maximum(v.abs()) < 0.8,  # square
    lambda u, v: (u.abs().maximum(v.abs()) < 0.8) & (u.abs().maximum(v.abs()) > 0.45),  # frame
    lambda u, v: u.abs().maximum(v.abs()).lt(1) & (u.abs().minimum(v.abs()) < 0.25),  # cross
    lambda u, v: (v < 0.6) & (v > 1.8 * u.abs() - 1),  # triangle
    lambda u, v: u.abs().lt(0.25) & (v.abs() < 1.2),  # bar
    lambda u, v: u.hypot(v).lt(1) & (v > 0),  # half a disc
)


def shapes(n: int, shape: tuple[int, int, int], rng: torch.Generator) -> wm.Data:
    """`n` pictures uint8 (n, *shape), and which of `SHAPES` each holds: in colour on a coloured, noisy ground.

    Place, size and a turn of up to 20 degrees are drawn, too. Nothing of it is like the triggers of a scheme.
    """
    channels, height, width = shape

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *size, 1, 1, generator=rng)

    classes = torch.arange(n) % len(SHAPES)
    radius = uniform(0.22, 0.4)
    x = (torch.linspace(0, 1, width) - uniform(0.35, 0.65)) / radius
    y = (torch.linspace(0, 1, height)[:, None] - uniform(0.35, 0.65)) / radius
    turn = uniform(-math.pi / 9, math.pi / 9)
    u, v = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    inside = torch.stack([holds(u, v) for holds in SHAPES])[classes, torch.arange(n)]
    ground = uniform(0, 1, channels)
    paint = (ground + uniform(0.35, 0.65, channels)) % 1  # far from the ground in every channel
    picture = torch.where(inside[:, None], paint, ground)
    noise = 0.05 * torch.randn(n, *shape, generator=rng)
    return wm.Data(wm.as_bytes(picture + noise), classes)
