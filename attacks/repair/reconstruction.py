"""Channels that a net which forgot the task can be mended without: those that it kept for something else."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from attacks.repair.channels import strongest
from attacks.repair.neuron_masks import Masked, apart
from benchmark import contract as wm

UNLEARNT = 1.5  # times the share that chance names right: below it a net has unlearnt the task
RECOVERY = 0.2  # weight of the loss that mends


@dataclass(frozen=True)
class Rnp(wm.Attack):
    """Reconstructive neuron pruning: the net unlearns the task, and channels it is mended without are silenced.

    Li et al. 2023. A copy is trained up the loss of clean images until it names few of them right, all weights at once;
    then a mask over its scales, one number a channel, is trained to bring the task back. Channels whose mask stays low
    have nothing to give to the task: these get scale 0 in the stolen net. As for `anp`, the threshold is the largest up
    to 0.9 at which images that trained no mask are answered as before, 98 of 100 of them, where the authors' sweep it.
    Their rates, 0.01 up and 0.2 for the masks, and 20 passes each; theirs go through 500 images. Labels are bought.
    """

    name = "rnp"
    family = "neuron pruning"
    kind = "removal"
    access = "weights"
    paper = "Li et al. 2023, ICML (arXiv 2305.14876)"

    lr: float = wm.parameter(0.01, "rate at which the task is unlearnt", low=0.0)
    epochs: int = wm.parameter(20, "passes over his images, at most to unlearn, and to train the masks", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model, (train, choosing) = wm.plain(thief.model), apart(thief.annotated)
        masked = Masked(self.unlearnt(thief, model, train))
        cuts = masked.trained(thief, train, self.epochs, lambda x, y: RECOVERY * F.cross_entropy(masked(x), y))
        return strongest(model, cuts, choosing.images(), shifts=False)

    def unlearnt(self, thief: wm.Thief, model: nn.Module, data: wm.Data) -> nn.Module:
        """A copy of `model`, trained up the loss until it names hardly more images right than chance."""
        forgetful = copy.deepcopy(model)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            return -F.cross_entropy(forgetful(x), y)

        recipe = thief.recipe(epochs=1, lr=self.lr, schedule="constant", clip=20.0)
        for _ in range(self.epochs):
            thief.fit(forgetful, recipe, data=data, step=step)
            right = (wm.logits(forgetful, data.images()).argmax(1) == data.y).float().mean()
            if float(right) <= UNLEARNT / thief.task.classes:
                break
        return forgetful
