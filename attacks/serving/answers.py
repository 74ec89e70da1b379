"""Filters of answers: the service says less about its probabilities than the stolen model does."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

LEAST_SAID = 1e-6  # probability that a class is left with, and the lead of the likeliest over those it ties with


@wm.builder("top-class")
class TopClass(nn.Module):
    """Logits (N, classes) that give the likeliest class all probability."""

    def forward(self, answers: Tensor) -> Tensor:
        best = F.one_hot(answers.argmax(1), answers.shape[1]).bool()
        return torch.where(best, 0.0, -torch.inf)

    def spec(self) -> wm.Spec:
        return {"builder": "top-class"}


@wm.builder("rounded-probabilities")
class RoundedProbabilities(nn.Module):
    """Logits (N, classes) of rounded probabilities; the class that was the likeliest stays the only likeliest."""

    def __init__(self, decimals: int) -> None:
        super().__init__()
        self.decimals = decimals

    def forward(self, answers: Tensor) -> Tensor:
        best = F.one_hot(answers.argmax(1), answers.shape[1])
        return (answers.softmax(1).round(decimals=self.decimals) + LEAST_SAID * best).log()

    def spec(self) -> wm.Spec:
        return {"builder": "rounded-probabilities", "decimals": self.decimals}


@wm.builder("noised-probabilities")
class NoisedProbabilities(nn.Module):
    """Logits (N, classes) of probabilities with normal noise on each of them; a class is left with a trace at least."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, answers: Tensor, draws: wm.Draws) -> Tensor:
        noise = self.sigma * draws.normal(answers.shape[1:])
        return (answers.softmax(1) + noise).clamp_min(LEAST_SAID).log()

    def spec(self) -> wm.Spec:
        return {"builder": "noised-probabilities", "sigma": self.sigma}


@dataclass(frozen=True)
class TopOne(wm.Attack):
    """The service names the likeliest class and no probability: a mark that is read in probabilities must do with that.

    The first of the countermeasures of Tramèr et al. 2016, section 7, in a thief's hands: he keeps from the owner what
    services keep from thieves. A mark that is read in labels can't notice.
    """

    name = "top-1"
    family = "output-filter"
    kind = "evasion"
    access = "none"
    paper = "Tramèr et al. 2016, USENIX Security"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(answer_filters=(TopClass(),))


@dataclass(frozen=True)
class RoundedAnswers(wm.Attack):
    """The service rounds its probabilities.

    Tramèr et al. 2016, section 7 (rounding confidences). No label changes: the likeliest class keeps a lead of a
    millionth where it would tie.
    """

    name = "rounded-answers"
    family = "output-filter"
    kind = "evasion"
    access = "none"
    paper = "Tramèr et al. 2016, USENIX Security"
    settings = ("decimals=1", "decimals=2")

    decimals: int = wm.parameter(1, "decimals that are left of a probability", low=0, high=6)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(answer_filters=(RoundedProbabilities(self.decimals),))


@dataclass(frozen=True)
class NoisedAnswers(wm.Attack):
    """The service adds normal noise to its probabilities; where two classes are close, the label may change.

    Perturbed posteriors (Lee et al. 2019), without their care to keep the label. The noise of an answer follows from
    the image that was asked, so that asking again doesn't average it away.
    """

    name = "noised-answers"
    family = "output-filter"
    kind = "evasion"
    access = "none"
    paper = "Lee et al. 2019, IEEE S&P workshops (arXiv:1806.00054)"
    settings = ("sigma=0.1",)

    sigma: float = wm.parameter(0.1, "standard deviation of the noise on each probability", low=0.0)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(answer_filters=(NoisedProbabilities(self.sigma),))
