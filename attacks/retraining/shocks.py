"""Shocks: all weights are shrunk or shaken at once, and the task is learnt again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from attacks.finetune import passes
from attacks.retraining.tuning import tuned
from benchmark import contract as wm


@dataclass(frozen=True)
class DecayShock(wm.Attack):
    """A few epochs under a weight decay hundreds of times the usual one, then fine-tuning.

    The regularisation attack of Shafieinejad et al. 2021, with the decay of the Watermark-Robustness-Toolbox (Lukas et
    al. 2022): 0.1, for 5 epochs there and 10 here. The decay shrinks what clean images don't hold up. Recovery at a
    rate that falls, on labels that are bought where the thief has none.
    """

    name = "l2-shock"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Shafieinejad et al. 2021, IH&MMSec (arXiv:1906.07745)"
    settings = ("decay=0.1,shock=10", "decay=0.25,shock=3")

    decay: float = wm.parameter(0.1, "weight decay of the shock", low=0.0)
    shock: int = wm.parameter(10, "epochs of the shock", low=0)
    lr: float = wm.parameter(0.05, "learning rate: constant in the shock, then falling", low=0.0)
    epochs: int = wm.parameter(10, "passes over the thief's images after the shock", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        if self.shock:
            recipe = thief.recipe(lr=self.lr, schedule="constant", weight_decay=self.decay)
            recipe = replace(recipe, epochs=passes(thief.annotated, recipe, self.shock))
            thief.fit(model, recipe, data=thief.annotated)
        return tuned(thief, model, self.lr, self.epochs)


@dataclass(frozen=True)
class WeightShifting(wm.Attack):
    """The filters of every layer lose what they have in common and get noise of their own size; then fine-tuning.

    The weight shifting of the Watermark-Robustness-Toolbox (Lukas et al. 2022): from each filter `shift` times the
    layer's mean filter is taken, and `noise` times a normal draw of the layer's own spread, which is 1 there. Layers
    are the convolutions; in a transformer the linear layers but its head.
    """

    name = "weight-shifting"
    family = "fine-tuning"
    kind = "removal"
    access = "weights"
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"
    settings = ("shift=1.5",)

    shift: float = wm.parameter(1.5, "times the mean filter that each filter loses", low=0.0)
    noise: float = wm.parameter(1.0, "normal noise, in standard deviations of the layer's weights", low=0.0)
    lr: float = wm.parameter(0.2, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model)
        with torch.no_grad():
            for weight in (layer.weight for layer in wm.filter_layers(model).values()):
                drawn = torch.randn(weight.shape, generator=thief.rng).to(weight.device)
                weight -= self.shift * weight.mean(0) + self.noise * weight.std() * drawn
        return tuned(thief, model, self.lr, self.epochs)
