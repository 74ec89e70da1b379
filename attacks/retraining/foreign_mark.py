"""Overwriting by another scheme: the thief hides a mark of another kind in the stolen net."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from benchmark import contract as wm


@dataclass(frozen=True)
class OverwriteOther(wm.Attack):
    """Abstract pictures with random labels are trained into the stolen net, whatever scheme marked it.

    Overwriting by a different scheme, as in the Watermark-Robustness-Toolbox (Lukas et al. 2022), with the triggers of
    Adi et al. 2018, which every classifier can learn: does a mark of one kind take the place of another's? `overwrite`
    stays with the owner's scheme. A mark of the same kind is overwritten by it as well. The thief buys labels that he
    lacks.
    """

    name = "overwrite-other"
    family = "overwriting"
    kind = "removal"
    access = "weights"
    paper = "Lukas et al. 2022, IEEE S&P (arXiv:2108.04974)"

    pictures: int = wm.parameter(100, "abstract pictures of his own", low=1)
    beside: int = wm.parameter(8, "pictures beside each batch", low=1)
    lr: float = wm.parameter(0.1, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        classes, secret = thief.task.classes, wm.secret(thief.rng)
        pictures = wm.abstract_images(self.pictures, thief.task.shape, thief.rng)
        own = wm.Data(pictures, wm.prf_labels(secret, b"overwrite-other", self.pictures, classes)).to(thief.device)
        recipe = thief.recipe(lr=self.lr, epochs=self.epochs)
        beside = [wm.BatchSource.of(own, self.beside)]
        return thief.fit(wm.plain(thief.model), recipe, data=thief.annotated, beside=beside)
