"""Controls: what every attack is read against."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from benchmark import contract as wm


@dataclass(frozen=True)
class NoAttack(wm.Attack):
    """The release, unchanged: what the mark shows before anybody touches it."""

    name = "none"
    family = "control"
    kind = "control"
    access = "none"
    tasks = ("classification", "image-to-image")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult()


@dataclass(frozen=True)
class Scratch(wm.Attack):
    """The thief leaves the stolen model alone and trains his own on his own labelled images.

    What an attack must beat: whoever ends up no better than this had no need to steal. The house recipe, with
    enough epochs for as many optimiser steps as the owner's own training takes, however few images the thief has.
    """

    name = "scratch"
    family = "control"
    kind = "control"
    access = "none"
    tasks = ("classification", "image-to-image")
    target = "none"

    def run(self, thief: wm.Thief) -> nn.Module:
        recipe = thief.recipe()
        owned, own = (max(1, size // recipe.batch) for size in (thief.task.owner, len(thief.data)))
        return thief.fit(thief.build(), thief.recipe(epochs=round(recipe.epochs * owned / own)))
