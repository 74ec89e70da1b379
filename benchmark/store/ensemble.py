"""The ensemble `auto` as `run.json` names it: a board keeps its own, whatever later versions hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DescribedAuto:
    """The ensemble of a run that has all of it: its version, and the labels of the attacks that are its members."""

    version: int
    members: tuple[str, ...]
