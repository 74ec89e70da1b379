"""Transfer: the stolen net learns another task before it returns to the old one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Transfer(wm.Attack):
    """All layers are fine-tuned, under a new head, on another task; then the stolen head is put back.

    Adi et al. 2018 and Fan et al. 2019 (DeepIPR) verify after a transfer with the owner's head in its old place; so
    does this court, and the utility is that of the old task. The new task needs no labels: which way an image was
    turned, by 0, 90, 180 or 270 degrees (Gidaris et al. 2018). Chain `transfer+finetune(mode=ftll)` for a thief
    who fits the head to the changed layers. Nets that derive their scales (passports) are folded first.
    """

    name = "transfer"
    family = "transfer"
    kind = "removal"
    access = "weights"
    paper = "Adi et al. 2018, USENIX Security; Gidaris et al. 2018, ICLR (arXiv:1803.07728)"

    lr: float = wm.parameter(0.01, "learning rate, constant", low=0.0)
    epochs: int = wm.parameter(10, "passes over the turned images, four for each image of the thief", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        x = thief.inputs
        if x.shape[2] != x.shape[3]:
            raise wm.NotApplicable("the new task turns images by 90 degrees, so they must be square")
        model = wm.plain(thief.model)
        old = wm.head(model)
        name = next(name for name, module in model.named_modules() if module is old)
        model.set_submodule(name, wm.head(thief.assemble({**wm.Net.of(model).spec, "classes": 4})))
        turned = wm.Data(
            torch.cat([x.rot90(quarter, (2, 3)) for quarter in range(4)]),
            torch.arange(4, device=x.device).repeat_interleave(len(x)),
        )
        thief.fit(model, thief.recipe(lr=self.lr, epochs=self.epochs, schedule="constant"), data=turned)
        model.set_submodule(name, old)
        return model
