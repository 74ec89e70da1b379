"""Controls: what every attack is read against."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from benchmark.contract import Attack, AttackResult, Thief


@dataclass(frozen=True)
class NoAttack(Attack):
    """The release, unchanged: what the mark shows before anybody touches it."""

    name = "none"
    family = "control"
    kind = "control"
    access = "none"
    tasks = ("classification", "image-to-image")

    def run(self, thief: Thief) -> AttackResult:
        return AttackResult()


@dataclass(frozen=True)
class Scratch(Attack):
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

    def run(self, thief: Thief) -> nn.Module:
        recipe = thief.context.recipe
        owned, own = (max(1, size // recipe.batch) for size in (thief.task.owner, len(thief.data)))
        return thief.fit(thief.build(), replace(recipe, epochs=round(recipe.epochs * owned / own)))
