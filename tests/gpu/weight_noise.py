"""An attack of somebody else's, for the check of confined processes: it computes on the device, and draws there."""

from dataclasses import dataclass

import torch

from benchmark import contract as wm


@dataclass(frozen=True)
class WeightNoise(wm.Attack):
    """Gaussian noise on every weight, as large as a share of its tensor's own spread; then one epoch of training."""

    name = "weight-noise"
    family = "noise"
    kind = "removal"

    scale: float = wm.parameter(0.1, "share of each tensor's standard deviation", low=0.0)

    def run(self, thief: wm.Thief) -> torch.nn.Module:
        with torch.no_grad():
            for weight in (one for one in thief.model.parameters() if one.dim() > 1):
                weight += self.scale * weight.std() * torch.randn_like(weight)
        return thief.fit(thief.model, thief.recipe(epochs=1, lr=0.01))
