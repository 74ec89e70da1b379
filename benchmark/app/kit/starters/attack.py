"""A starter: an attack that runs as it is. `bench new attack NAME` copies it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from benchmark import contract as wm


@dataclass(frozen=True)
class MyAttack(wm.Attack):
    """Gaussian noise on every weight, as large as a share of its tensor's own spread."""

    # CHANGE ME: what is read without running this file, so literals alone. `bench describe prune` shows others' traits.
    name = "my-attack"
    family = "noise"
    kind = "removal"  # function-preserving, evasion (filters on queries), extraction, ambiguity (a claim), false-claim
    access = "weights"  # or probabilities, labels: what it uses of the stolen service, and so all that it gets
    settings = ("scale=0.1", "scale=0.3")  # what --attacks grid runs; the first of them is what --attacks all runs
    paper = ""  # authors, year, venue

    # CHANGE ME: parameters, each with its unit and range. They may be int, float, bool, str, Literal["a", "b"],
    # int | None or tuple[int, ...].
    scale: float = wm.parameter(0.1, "share of each tensor's standard deviation", low=0.0)

    def run(self, thief: wm.Thief) -> torch.nn.Module:
        model = thief.model  # his own copy; thief.ask(x) is a query, thief.data and thief.inputs are his images
        with torch.no_grad():
            for weight in (one for one in model.parameters() if one.dim() > 1):
                # random numbers come from thief.rng alone, so that a seed repeats them
                noise = torch.randn(weight.shape, generator=thief.rng).to(weight.device)
                weight.add_(self.scale * weight.std() * noise)
        # CHANGE ME: most attacks train now, `thief.fit(model, thief.recipe(epochs=5, lr=0.01), data=thief.annotated)`
        return model
