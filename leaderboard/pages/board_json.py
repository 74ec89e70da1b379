"""`leaderboard.json`: the board for programs, every number unrounded.

Schema 2, an object:

- `schema` 2; `run`, `version`, `command`, `created`, `profile`: as in run.json
- `data`: one object per task, as in run.json, with the `alpha` and `budget` (in its `unit`) that the verdicts were read
  at, `host_seconds` and `host_operations` of training one host, or null, and `useless_nulls`: how many unmarked models
  hardly beat doing nothing and so do not count
- `alpha`; `budget`: of the classification tasks, in points, or null
- `schemes`, `attacks`: one object per column and row: its entry of run.json under `described`, and the tallies by word
- `cells`: one object per cell, in the plan's order: `task`, `unit` (points or dB), `scheme`, `attack`, `kind`,
  `replicate`, `innocent`, `claim`; `verdict` and `committed` ({word, reason, flags}); `before` and `after` (the
  evidence: total, n, rate, log10_p, log10_p_key, log10_p_null, grade, theta, theta0, upper, state, reason, interval,
  pools); `utility` and `gates` ({losses, gains, n, budget, delta, z, state, interval, unit, gain}; a positive delta is
  a loss, in dB or, where the unit is points, a fraction; gain: dB over doing nothing); `agreement`; `accuracy`, in
  [0, 1], or the mean PSNR where the unit is dB, beside the mean `ssim`; `channels` ([as delivered, in the suspect]);
  `cost`; `jobs` (record ids by role); `reproduce` (a command)

A field is null where the jobs did not get that far. log10 of p = 0 is the string "-inf", which JSON has no number for.
Fields may be added within a schema; one that is renamed or changes its meaning raises the number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.pages.reproduce_command import reproduce

BOARD_SCHEMA = 2
_PLAIN = {str, int, bool}
_RUN = ("run", "version", "command", "created", "profile")


def document(board: Board) -> dict[str, Any]:
    """The board as plain JSON values; see this file's head for what they mean."""
    found = {
        "schema": BOARD_SCHEMA,
        **{name: board.run.described[name] for name in _RUN},
        "data": [_track(part, board.useless_nulls) for part in board.split or (board,)],
        "alpha": board.alpha,
        "budget": board.budget,
        "schemes": board.schemes,
        "attacks": board.attacks,
        "cells": [one_cell(board, cell) for cell in board.cells],
    }
    return {name: plain(value) for name, value in found.items()}


def _track(board: Board, useless: Mapping[str, int]) -> dict[str, Any]:
    host = {"host_seconds": board.host_seconds, "host_operations": board.host_operations}
    return {**_fields(board.track), **host, "useless_nulls": useless.get(board.track.task, 0)}


def one_cell(board: Board, cell: Cell) -> dict[str, Any]:
    """One entry of `cells`."""
    found: dict[str, Any] = plain({**_fields(cell), "reproduce": reproduce(board, cell)})
    return found


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
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def plain(value: Any) -> Any:
    """Dataclasses as objects, sequences as lists, infinities as strings."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if is_dataclass(value):
        return {name: plain(member) for name, member in _fields(value).items()}
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [plain(member) for member in value]
    return value
