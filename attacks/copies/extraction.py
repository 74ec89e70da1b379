"""Model extraction: a surrogate learns from the stolen service's answers and never sees its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Distill(wm.Attack):
    """A surrogate imitates the service's probabilities on the thief's unlabelled images.

    Hinton et al. 2015; as an extraction attack, Shafieinejad et al. 2021. A service gives no logits: log-probabilities
    stand in for them, which the softmax at any temperature can't tell apart. Soft targets alone, no true labels; both
    sides are softened, and the loss times temperature squared keeps its gradients' size (section 2).
    """

    name = "distill"
    family = "extraction"
    kind = "extraction"
    access = "probabilities"
    paper = "Hinton et al. 2015, arXiv:1503.02531"
    settings = ("architecture=house", "architecture=resnet8")

    temperature: float = wm.parameter(2.0, "softens both sides; 1 leaves the probabilities as they are", low=0.1)
    architecture: Literal["house", "resnet8"] = wm.parameter("house", "of the surrogate; house: like the stolen one")
    epochs: int = wm.parameter(40, "passes over the thief's images; as many steps if he asks about fewer", low=1)
    queries: int = wm.parameter(0, "images that he asks about; 0: all he has", low=0)

    def run(self, thief: wm.Thief) -> nn.Module:
        asked, epochs = budgeted(thief, self.queries, self.epochs)
        answers = thief.ask(wm.as_float(asked), "probabilities")
        soft = wm.Data(asked, (answers.log() / self.temperature).softmax(1))
        model = thief.build(None if self.architecture == "house" else self.architecture)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, targets),) = batches
            return F.cross_entropy(model(x) / self.temperature, targets) * self.temperature**2

        return thief.fit(model, thief.recipe(epochs=epochs), data=soft, step=step)


@dataclass(frozen=True)
class Extract(wm.Attack):
    """A surrogate learns the labels that the service gives to the thief's unlabelled images.

    Tramèr et al. 2016, section 6 (label-only retraining), with real images of the task in place of synthetic ones.
    """

    name = "extract"
    family = "extraction"
    kind = "extraction"
    access = "labels"
    paper = "Tramèr et al. 2016, USENIX Security"

    architecture: Literal["house", "resnet8"] = wm.parameter("house", "of the surrogate; house: like the stolen one")
    epochs: int = wm.parameter(40, "passes over the thief's images; as many steps if he asks about fewer", low=1)
    queries: int = wm.parameter(0, "images that he asks about; 0: all he has", low=0)

    def run(self, thief: wm.Thief) -> nn.Module:
        asked, epochs = budgeted(thief, self.queries, self.epochs)
        answered = wm.Data(asked, thief.ask(wm.as_float(asked), "labels"))
        model = thief.build(None if self.architecture == "house" else self.architecture)
        return thief.fit(model, thief.recipe(epochs=epochs), data=answered)


def budgeted(thief: wm.Thief, queries: int, epochs: int) -> tuple[Tensor, int]:
    """The first `queries` of the thief's images, and in how many epochs they are seen as often as all in `epochs`."""
    asked = thief.inputs[: queries or None]
    return asked, round(epochs * len(thief.inputs) / len(asked))
