"""Fine-tuning: the thief trains the stolen net on with his own images, and the mark may fade."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from torch import nn

from benchmark import contract as wm

STEPS = 6  # that an epoch takes at least
HALVES = 6  # of a rate that falls in steps: as long at each, and half as high as before


@dataclass(frozen=True)
class Finetune(wm.Attack):
    """The stolen net is trained on with the thief's own images: last layer or all, kept or redrawn.

    Adi et al. 2018, section 6: FTLL trains the last layer, FTAL all layers; RTLL and RTAL redraw the last layer
    first. As in the authors' code the rate is constant; it starts with the attack, never from a checkpoint's epoch.
    Two things differ. Their last-layer modes leave the norms' running statistics adapting, so "frozen" layers drift;
    here all but the head is in eval mode. They plug the owner's head back before they verify; here the suspect is
    what the thief serves. Nets that derive their scales (passports) are folded first, as DeepIPR's attack does. An
    epoch is six steps at least: to whoever has few labelled images they come several times, all in every batch.

    A high constant rate costs the thief accuracy that one which falls gives back: `cosine`, or `step`, halved after
    each sixth of the epochs (Gan et al. 2023, APP: 0.05 halved at 5, 10, ... 25 of 30 epochs). With `data=bought` his
    images without labels join in, with those that the service gives.
    Other papers' rows: `lr=1e-05,epochs=30,optimiser=adam` with a tenth of the data (Kallas & Furon 2022, RoSe);
    `lr=0.001,epochs=200` with 30 % of it (Jebreel et al. 2021, KeyNet).
    """

    name = "finetune"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Adi et al. 2018, USENIX Security"
    settings = (
        "mode=ftal,lr=0.2,epochs=20,schedule=cosine,data=bought",
        "mode=ftal", "mode=ftll", "mode=rtll", "mode=rtal", "mode=ftal,lr=0.05,epochs=20",
    )  # fmt: skip

    mode: Literal["ftll", "ftal", "rtll", "rtal"] = wm.parameter("ftal", "fine-tune or retrain, the last layer or all")
    lr: float = wm.parameter(0.01, "learning rate at its highest", low=0.0)
    epochs: int = wm.parameter(10, "passes over the images", low=1)
    optimiser: Literal["sgd", "adam"] = wm.parameter("sgd", "with momentum, or Adam")
    schedule: Literal["constant", "cosine", "step"] = wm.parameter("constant", "how the rate falls; step: by halves")
    data: Literal["labelled", "bought"] = wm.parameter("labelled", "his labelled images; or all, by bought labels")

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        if self.mode in ("rtll", "rtal"):
            redraw_head(thief, model)
        data = thief.data if self.data == "labelled" else thief.annotated
        schedule = "cosine" if self.schedule == "cosine" else "constant"
        recipe = thief.recipe(lr=self.lr, optimiser=self.optimiser, schedule=schedule)
        epochs, only = passes(data, recipe, self.epochs), wm.head(model) if self.mode in ("ftll", "rtll") else None
        falls = HALVES if self.schedule == "step" else 1
        ends = [-(-epochs * fall // falls) for fall in range(falls + 1)]
        for fall, (start, end) in enumerate(pairwise(ends)):
            if count := end - start:
                thief.fit(model, replace(recipe, lr=self.lr / 2**fall, epochs=count), data=data, only=only)
        return model


def passes(data: wm.Data, recipe: wm.Recipe, epochs: int) -> int:
    """How often an attack of so many epochs goes through `data`: each epoch has `STEPS` steps at least."""
    steps = max(1, len(data) // recipe.batch)  # of a pass; fewer images than a batch are one batch
    return epochs * -(-STEPS // steps)


def redraw_head(thief: wm.Thief, model: nn.Module) -> nn.Linear:
    """The last layer of `model`, after it was drawn anew from the thief's stream."""
    head = wm.head(model)
    head.load_state_dict(wm.head(thief.assemble(wm.Net.of(model).spec)).state_dict())
    return head
