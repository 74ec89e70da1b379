"""Rejecting: the stolen net's own answers tell which queries are no images of the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.serving.pixels import FewerLevels
from attacks.serving.stand_ins import StandIns, parted, threshold_of
from benchmark import contract as wm

SHRINKAGE = 0.01  # added to a covariance, of its mean variance
GREY_LEVELS, COLOUR_LEVELS = 2, 16  # levels that are left of a squeezed pixel: 1 bit, and 4 bits

Score = Literal["energy", "mahalanobis", "squeeze"]


@wm.builder("rejecter")
class Rejecter(StandIns):
    """Queries as they are, but stand-ins for those that a copy of the stolen net finds strange by `score`."""

    middles: Tensor
    precision: Tensor

    def __init__(self, net: wm.Spec, score: Score, stand_ins: int, shape: Sequence[int]) -> None:
        super().__init__(stand_ins, shape)
        self.net, self.score = wm.build(net), score
        last = wm.head(self.net)
        self.register_buffer("middles", torch.zeros(last.out_features, last.in_features))
        self.register_buffer("precision", torch.eye(last.in_features))

    def forward(self, x: Tensor, draws: wm.Draws) -> Tensor:
        return self.replaced(x, self.strangeness(x), draws)

    @torch.no_grad()
    def strangeness(self, x: Tensor) -> Tensor:
        """Of each image of (N, C, H, W), (N,): larger for those that are less like images of the task.

        `energy`: minus the log-sum-exp of the logits. `mahalanobis`: the squared distance of what enters the last layer
        to the nearest class's middle. `squeeze`: by how much probabilities change, in sum, where the image is reduced
        to few levels or smoothed by a median, whichever changes more.
        """
        if self.score == "energy":
            return -wm.logits(self.net, x).logsumexp(1)
        if self.score == "mahalanobis":
            gaps = self.features(x)[:, None] - self.middles
            return torch.einsum("nki,ij,nkj->nk", gaps, self.precision, gaps).amin(1)
        levels = FewerLevels(GREY_LEVELS if x.shape[1] == 1 else COLOUR_LEVELS)
        before, *after = (wm.logits(self.net, each).softmax(1) for each in (x, levels(x), median(x)))
        return torch.stack([(each - before).abs().sum(1) for each in after]).amax(0)

    def features(self, x: Tensor) -> Tensor:
        """What enters the last layer, (N, features)."""
        return torch.cat([wm.entering(self.net, [wm.head_name(self.net)], part)[0] for part in x.split(512)])

    @torch.no_grad()
    def learn(self, x: Tensor) -> None:
        """Middles of the classes that the net names, and what is common to their spread, from images (N, C, H, W)."""
        features, classes = self.features(x), wm.logits(self.net, x).argmax(1)
        members = F.one_hot(classes, len(self.middles)).float()
        self.middles.copy_(members.T @ features / members.sum(0).clamp_min(1)[:, None])
        apart = features - self.middles[classes]
        spread = apart.T @ apart / len(x)
        spread += SHRINKAGE * spread.diagonal().mean().clamp_min(1e-12) * torch.eye(len(spread), device=x.device)
        self.precision.copy_(torch.linalg.inv(spread))

    def spec(self) -> wm.Spec:
        net = self.net.spec()  # type: ignore[operator]
        shape = list(self.stand_ins.shape[1:])
        return {
            "builder": "rejecter",
            "net": net,
            "score": self.score,
            "stand_ins": len(self.stand_ins),
            "shape": shape,
        }


def median(x: Tensor) -> Tensor:
    """Images (N, C, H, W) under a median of 3x3 pixels, mirrored at their edge."""
    windows = F.pad(x, (1, 1, 1, 1), mode="reflect").unfold(2, 3, 1).unfold(3, 3, 1)
    return windows.flatten(4).median(-1).values


@dataclass(frozen=True)
class Reject(wm.Attack):
    """Queries that the stolen net itself finds strange are answered as if they were images of the thief's own.

    Three scores of the literature on what lies outside a task: the energy of the logits (Liu et al. 2020, section 3.1),
    Mahalanobis' distance in the last layer (Lee et al. 2018, section 2.1, without their perturbed inputs and ensemble
    of layers, which need strange images to be tuned on), and joint feature squeezing (Xu et al. 2018, section 5.3: the
    largest change of the answers under fewer levels and a median; in colour theirs has 5 bits, a median of 2x2 pixels,
    and non-local means beside). The threshold lets through all but a share of images that nothing else was learnt on, a
    quarter of the thief's. What is rejected gets the answer to one of his images, drawn by chance: a refusal would tell
    the owner what was noticed, and courts count a service that doesn't answer as failing.
    """

    name = "reject"
    family = "purification"
    kind = "evasion"
    paper = (
        "Liu et al. 2020, NeurIPS (arXiv:2010.03759); Lee et al. 2018, NeurIPS (arXiv:1807.03888); "
        "Xu et al. 2018, NDSS (arXiv:1704.01155)"
    )
    settings = ("score=mahalanobis", "score=energy", "score=squeeze")

    score: Literal["energy", "mahalanobis", "squeeze"] = wm.parameter("mahalanobis", "what tells a strange query")
    false_rejects: float = wm.parameter(0.01, "share of ordinary queries that are rejected", low=0.0, high=1.0)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        net, own = wm.Net.of(wm.plain(thief.model)), thief.inputs
        rejecter = Rejecter(net.spec, self.score, len(own), thief.task.shape).to(thief.device)
        rejecter.net.load_state_dict(dict(net.state))
        images, unseen = map(wm.as_float, parted(thief))
        rejecter.eval().learn(images)
        rejecter.arm(own, threshold_of(rejecter.strangeness(unseen), self.false_rejects))
        return wm.AttackResult(filters=(rejecter,))
