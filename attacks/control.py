"""The control that leaves a release as it is; the other one, training anew, is in `scratch.py`."""

from __future__ import annotations

from dataclasses import dataclass

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
