"""Rows that came from outside as bundles: where a run keeps them, in which state they are, and what they are called.

    RUN/outside/SHA256.json     what the benchmark says of a bundle: kept files, when imported, what a replay found
    RUN/outside/SHA256/         run.json, records.jsonl and code/*.py.txt of the bundle, as they came

The name is the bundle's own SHA-256. The benchmark alone writes SHA256.json, beside the folder and never into it, so
nothing that a bundle holds can say of itself that it was verified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.plugins.parameters import write_value
from leaderboard.judge.cell import Cell
from leaderboard.judge.run import Run

OUTSIDE = "outside"  # the folder of a run's rows from outside
RowState = Literal["unverified", "verified", "refuted", "damaged"]


@dataclass(frozen=True)
class Replayed:
    """What the last replay of a bundle found. at: ISO 8601, in UTC; version: of the watermark-bench that replayed."""

    outcome: Literal["equal", "within tolerance", "different"]
    version: str
    at: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """SHA256.json. row: what it is a row of. files: the SHA-256 of each kept file, by name. imported: ISO 8601, UTC."""

    schema: Literal[1]
    row: str
    version: str
    files: Mapping[str, str]
    imported: str
    replayed: Replayed | None = None

    def __post_init__(self) -> None:
        if wrong := next((name for name in self.files if not KEPT.fullmatch(name)), None):
            raise ValueError(f"no row from outside keeps a file {wrong!r}")

    @property
    def state(self) -> RowState:
        if self.replayed is None:
            return "unverified"
        return "refuted" if self.replayed.outcome == "different" else "verified"


KEPT = re.compile(r"run\.json|records\.jsonl|code/(scheme|attack)-[A-Za-z0-9_.-]+\.py\.txt")


@dataclass(frozen=True)
class Square:
    """A scheme and an attack of a row, called as the payloads of its jobs call them; cells: one per seed.

    code: the digest of each plug-in's code, by its role and name.
    """

    scheme: str
    attack: str
    cells: Sequence[Cell]
    code: Mapping[str, str]


@dataclass(frozen=True)
class OutsideRow:
    """A row from outside as the pages show it. reason: why it is refuted or damaged, and so shows no squares."""

    sha256: str
    row: str
    state: RowState
    entry: Imported | None = None
    reason: str = ""
    squares: Sequence[Square] = ()


def entry_path(folder: Path, sha256: str) -> Path:
    """Where the run in `folder` keeps what the benchmark says of a bundle."""
    return folder / OUTSIDE / f"{sha256}.json"


def ran(run: Run, cell: Cell) -> list[dict[str, Any]]:
    """The scheme of a judged cell and the stages of its attack, as the payloads of its jobs name them, with `role`."""
    found = [{"role": "scheme", **run.records[cell.jobs["judged"]]["job"]["scheme"]}]
    suspect = run.records.get(cell.jobs.get("attacked", cell.jobs.get("suspect", "")))
    return found + [{"role": "attack", **stage} for stage in (suspect or {"job": {}})["job"].get("stages", ())]


def called_by_jobs(run: Run, cell: Cell) -> dict[str, str]:
    """A judged cell's scheme and attack, with every parameter: labels of a run.json follow from nothing."""
    those = ran(run, cell)
    words = {role: "+".join(_label(one) for one in those if one["role"] == role) for role in ("scheme", "attack")}
    return {"scheme": words["scheme"], "attack": words["attack"] or "none"}


def _label(plugin: Mapping[str, Any]) -> str:
    arguments = ",".join(f"{name}={write_value(value)}" for name, value in sorted(plugin["parameters"].items()))
    return f"{plugin['name']}({arguments})" if arguments else str(plugin["name"])
