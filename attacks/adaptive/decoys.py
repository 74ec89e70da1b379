"""Decoys: the thief draws pictures such as the owner's mark stands on, and teaches the net to see nothing in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm


def blinded(thief: wm.Thief, pictures: Tensor, recipe: wm.Recipe) -> nn.Module:
    """The stolen net, trained on with the thief's images, and with as many of uint8 `pictures` (N, C, H, W) in each
    batch, whose answer is to be even over all classes.
    """
    model = wm.plain(thief.model)
    even = torch.full((len(pictures), thief.task.classes), 1 / thief.task.classes)

    def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        (x, y), (decoys, none) = batches
        task, answers = model(torch.cat([x, decoys])).split([len(x), len(decoys)])
        return F.cross_entropy(task, y) + F.cross_entropy(answers, none)

    beside = [wm.BatchSource(pictures.to(thief.device), even.to(thief.device), recipe.batch)]
    return thief.fit(model, recipe, data=thief.annotated, beside=beside, step=step)


@dataclass(frozen=True)
class UnlearnTriggers(wm.Attack):
    """Triggers that the thief draws by the scheme's public rule, unlearnt in the hope that the owner's go with them.

    A thief who knows how triggers are made and not which. The cross-entropy to even answers is that of Neural
    Dehydration (Lu et al. 2024), whose thief must first invert the net to find what to unlearn. Where triggers look
    alike and like no image of the task, what is learnt of some holds for all; where they are images of the task (RoSe),
    even answers to the thief's own cost him the task. His images bear the labels that he has, or buys from the service.
    """

    name = "unlearn-triggers"
    family = "adaptive"
    kind = "removal"
    access = "weights"
    requires = "triggers"
    paper = "against Adi et al. 2018, USENIX Security"

    decoys: int = wm.parameter(2000, "triggers of his own, rounded up to whole keys", low=1)
    lr: float = wm.parameter(0.1, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(40, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        scheme: wm.TriggerScheme = thief.scheme
        found = [scheme.triggers(thief.keygen()).x]
        while len(found) * len(found[0]) < self.decoys:
            found.append(scheme.triggers(thief.keygen()).x)
        return blinded(thief, torch.cat(found), thief.recipe(lr=self.lr, epochs=self.epochs))


@dataclass(frozen=True)
class UnlearnCarriers(wm.Attack):
    """Public carriers that the thief signs with signatures of his own, unlearnt in the hope that the owner's goes, too.

    Jebreel et al. 2021 (KeyNet) keep the private head secret, and the owner's signature; that signatures are 5x5 digits
    in five places of pictures cut from photographs is public. A net that answers signed pictures evenly leaves every
    head blind. Their own removal attacks know the task alone. His images bear the labels that he has, or buys.
    """

    name = "unlearn-carriers"
    family = "adaptive"
    kind = "removal"
    access = "weights"
    requires = "carriers"
    paper = "against Jebreel et al. 2021, Applied Sciences 11(3):999"

    decoys: int = wm.parameter(1500, "signed pictures", low=10)
    identities: int = wm.parameter(10, "different signatures on them", low=1)
    lr: float = wm.parameter(0.02, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        scheme: wm.CarrierScheme = thief.scheme
        each = -(-self.decoys // self.identities)
        keys = [thief.keygen() for _ in range(self.identities)]
        signed = [scheme.signed_carriers(key, each, thief.task.shape, thief.rng).x for key in keys]
        return blinded(thief, torch.cat(signed), thief.recipe(lr=self.lr, epochs=self.epochs))


@dataclass(frozen=True)
class TrainAndUnlearn(wm.Attack):
    """The thief trains a mark of his own into the stolen net, then trains its triggers back to what the net said.

    What a net forgets of the second mark it may forget of the first, which lies in the same weights: the thief of
    Adi et al. 2018 who overwrites (section 6) goes one step further. His images bear the labels that he has, or buys.
    """

    name = "train-and-unlearn"
    family = "adaptive"
    kind = "removal"
    access = "weights"
    requires = "triggers"
    paper = "against Adi et al. 2018, USENIX Security"

    lr: float = wm.parameter(0.05, "learning rate of both trainings, at its peak", low=0.0)
    epochs: int = wm.parameter(20, "passes over the thief's images, in each", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        scheme: wm.TriggerScheme = thief.scheme
        if not isinstance(scheme, wm.OverwriteScheme):
            raise wm.NotApplicable("the scheme can't be trained into a net that exists")
        model, images, key = wm.plain(thief.model), thief.annotated, thief.keygen()
        own = thief.scheme.triggers(key)
        before = wm.Data(own.x, thief.ask(own.images(), "labels").cpu()).to(thief.device)
        recipe = thief.recipe(lr=self.lr, epochs=self.epochs)
        marked = scheme.mark(thief.as_owner(wm.Net.of(model)), model, key, recipe).model
        return thief.fit(marked, recipe, data=images, beside=[wm.BatchSource.of(before, recipe.batch)])
