"""The settings of one plug-in on a board: their short names, their labels, and the parameters in which they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leaderboard.pages.page_model import Inline, Section, Span
from leaderboard.pages.sections.threat_model import parameters


def settings(those: Iterable[tuple[Span, str, str, Sequence[Mapping[str, Any]]]]) -> Section:
    """A table of settings, each given by its anchor, its short name, its label, and the parameters of its stages."""
    listed = list(those)
    first = listed[0][-1]
    common = [
        {name: value for name, value in stage.items() if all(stages[at].get(name) == value for *_, stages in listed)}
        for at, stage in enumerate(first)
    ]
    rows: list[list[Inline]] = [
        [
            (mark, short),
            label,
            _joined(_without(stage, same) for stage, same in zip(stages, common, strict=True)),
        ]
        for mark, short, label, stages in listed
    ]
    shared = "" if _joined(common) == "–" else f"Every setting has {_joined(common)}."
    if len(listed) == 1:
        return Section("Settings", header=["setting", "label", "parameters"],
                       rows=[[*rows[0][:2], _joined(first)]])  # fmt: skip
    return Section("Settings", shared, ["setting", "label", "its parameters"], rows)


def _without(stage: Mapping[str, Any], same: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in stage.items() if name not in same}


def _joined(stages: Iterable[Mapping[str, Any]]) -> str:
    """The parameters of every stage of a chain, stages apart; a dash for none."""
    return " + ".join(filter(None, map(parameters, stages))) or "–"
