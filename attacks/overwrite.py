"""Overwriting: the thief trains a mark of his own, by the same scheme, into the stolen net."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from benchmark import contract as wm


@dataclass(frozen=True)
class Overwrite(wm.Attack):
    """A fresh key of the owner's own scheme is trained into the stolen net with the thief's images.

    Adi et al. 2018 (ownership piracy by embedding a second set); Jebreel et al. 2021 (KeyNet), section 5. The thief
    plays owner: his host is the stolen net, folded where it derived its scales. It is judged as a removal: does the
    first mark outlive the second? That both keys now fit is a dispute, which the older commitment settles. Images of
    his that have no label get the stolen net's.
    """

    name = "overwrite"
    family = "overwriting"
    kind = "removal"
    access = "weights"
    requires = "overwrite"
    paper = "Adi et al. 2018, USENIX Security"
    settings = ("lr=0.15", "lr=0.02")

    lr: float = wm.parameter(0.02, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        scheme: wm.OverwriteScheme = thief.scheme
        stolen = wm.unfused(wm.plain(thief.model))
        host = wm.Net.of(stolen)
        recipe = thief.recipe(lr=self.lr, epochs=self.epochs)
        return scheme.mark(thief.as_owner(host), stolen, thief.keygen(host), recipe).model
