"""`leaderboard.json`: the board for programs, every number unrounded.

docs/leaderboard-json.md explains every field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from leaderboard.analysis.auto import by_family, by_setting, gains, picks
from leaderboard.analysis.meetings import ensemble
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.rules import RULES
from leaderboard.pages.reproduce_command import reproduce

BOARD_SCHEMA = 3
_AS_IT_IS = frozenset({str, int, bool, type(None)})
_RUN = ("run", "version", "command", "created", "profile")


def document(board: Board) -> dict[str, Any]:
    """The board as plain JSON values; docs/leaderboard-json.md says what they mean."""
    found = {
        "schema": BOARD_SCHEMA,
        **{name: board.run.described[name] for name in _RUN},
        "data": [_track(part, board.useless_nulls) for part in board.split or (board,)],
        "rules": RULES,
        "alpha": board.alpha,
        "budget": board.budget,
        "schemes": board.schemes,
        "attacks": board.attacks,
        "auto": _auto(board),
    }
    head = {name: plain(value) for name, value in found.items()}
    return {**head, "cells": [one_cell(board, cell) for cell in board.cells]}


def _track(board: Board, useless: Mapping[str, int]) -> dict[str, Any]:
    host = {"host_seconds": board.host_seconds, "host_operations": board.host_operations}
    return {**_fields(board.track), **host, "useless_nulls": useless.get(board.track.task, 0)}


def _auto(board: Board) -> dict[str, Any] | None:
    """Survival under the ensemble, where the run has it."""
    if (found := ensemble(board)) is None:
        return None
    return {
        **_fields(found),
        "families": [row for part in board.parts for row in by_family(part)],
        "schemes": [row for part in board.parts for row in by_setting(part)],
        "gains": {part.track.task: gains(part) for part in board.parts},
        "best": [
            {"scheme": cell.scheme, "replicate": cell.replicate, "attack": member, "verdict": cell.verdict}
            for member, cell in picks(board)
        ],
    }


def one_cell(board: Board, cell: Cell) -> dict[str, Any]:
    """One entry of `cells`."""
    found = {**_fields(cell), **vars(cell.thief), "reproduce": reproduce(board, cell)}
    before = board.once(("plain", id(cell.before)), lambda: plain(cell.before))  # many cells share it
    return {name: before if name == "before" else plain(value) for name, value in found.items() if name != "thief"}


def leaderboard_json(board: Board) -> str:
    """`leaderboard.json` as text: strict JSON, one line per top-level field and per cell."""
    found = document(board)
    cells = found.pop("cells")
    head = [f" {json.dumps(name)}: {_dumps(value)}" for name, value in found.items()]
    listed = ",\n".join(f"  {_dumps(cell)}" for cell in cells)
    return "{\n" + ",\n".join([*head, f' "cells": [\n{listed}\n ]']) + "\n}\n"


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _fields(value: Any) -> dict[str, Any]:
    kind: Any = type(value)
    return {name: getattr(value, name) for name in _names(kind) or ()}


def plain(value: Any) -> Any:
    """Dataclasses as objects, sequences as lists, infinities as strings."""
    kind: Any = type(value)
    if kind in _AS_IT_IS:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if (names := _names(kind)) is not None:
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(member) for member in value]
    return value


@cache
def _names(kind: Any) -> tuple[str, ...] | None:
    """The fields of a dataclass; None of another type."""
    return tuple(one.name for one in fields(kind)) if is_dataclass(kind) else None
