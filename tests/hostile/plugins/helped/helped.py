"""An attack whose filter lies in a module beside it."""

from __future__ import annotations

from dataclasses import dataclass

from filter_beside import Blanking

from benchmark import contract as wm


@dataclass(frozen=True)
class Helped(wm.Attack):
    """The stolen net behind a filter that blanks every batch with a strange image in it."""

    name = "helped"
    family = "hostile"
    kind = "evasion"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(filters=(Blanking(),))
