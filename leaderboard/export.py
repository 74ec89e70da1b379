"""The run for other programs: `matrix.csv`, one line per cell, and `records.jsonl`, every record."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError
from leaderboard import markdown
from leaderboard.board import Board
from leaderboard.cells import Cell
from leaderboard.evidence import OWN_POOL, Evidence
from leaderboard.tables import one_line

_FORMULA = ("=", "+", "-", "@")


def write_pages(board: Board, folder: Path) -> list[Path]:
    """Write leaderboard.md, matrix.csv and records.jsonl into `folder`, each whole or not at all.

    Returns their paths. Raises BenchError where the folder can't be written.
    """
    pages = {"leaderboard.md": markdown.page(board), "matrix.csv": matrix_csv(board), "records.jsonl": records(board)}
    return [_write(folder / name, text) for name, text in pages.items()]


def _write(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8", newline="")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BenchError(f"{path} can't be written ({error.strerror}): choose another folder or free space") from error
    return path


def records(board: Board) -> str:
    """Every record of the run as JSON, one per line, sorted by id."""
    ordered = sorted(board.run.records.values(), key=lambda record: str(record["id"]))
    return "".join(json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n" for record in ordered)


def matrix_csv(board: Board) -> str:
    """One line per cell, innocents among them; fields without a value are empty.

    Texts that a spreadsheet would take for a formula start with a quote mark.
    """
    text = io.StringIO()
    lines = [_line(board, cell) for cell in board.cells]
    writer = csv.DictWriter(text, list(_line(board, None)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _field(value) for name, value in line.items()} for line in lines)
    return text.getvalue()


def _field(value: object) -> object:
    if not isinstance(value, str):
        return value
    plain = one_line(value)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def _line(board: Board, cell: Cell | None) -> dict[str, Any]:
    """The columns of one cell; of None, only their names."""
    scheme = {row.label: row.described for row in board.schemes}.get(cell.scheme, {}) if cell else {}
    attack = {row.label: row.described for row in board.attacks}.get(cell.attack, {}) if cell else {}
    verdict, committed = (cell.verdict, cell.committed) if cell else (None, None)
    utility, cost, jobs = (cell.utility, cell.cost, cell.jobs) if cell else (None, None, {})
    return {
        "run": board.run.described["run"],
        "scheme": cell and cell.scheme,
        "attack": cell and cell.attack,
        "kind": cell and cell.kind,
        "replicate": cell and cell.replicate,
        "innocent": cell and cell.innocent,
        "verdict": verdict and verdict.word,
        "reason": verdict and verdict.reason,
        "flags": " ".join(verdict.flags) if verdict else None,
        "verdict_with_commitment": committed and committed.word,
        "reason_with_commitment": committed and committed.reason,
        "alpha": board.alpha,
        "budget_points": board.budget,
        **_evidence("", cell.after if cell else None),
        **_evidence("fresh_", cell.before if cell else None),
        "agreement": cell.agreement.labels if cell and cell.agreement else None,
        "largest_score_gap": cell.agreement.largest_gap if cell and cell.agreement else None,
        "accuracy": cell and cell.accuracy,
        "utility_change_points": 0.0 - 100 * utility.delta if utility else None,
        "utility_change_low": -100 * utility.interval[1] if utility else None,
        "utility_change_high": -100 * utility.interval[0] if utility else None,
        "utility_losses": utility and utility.losses,
        "utility_gains": utility and utility.gains,
        "utility_items": utility and utility.n,
        "utility_z": utility and utility.z,
        "utility_state": utility and utility.state,
        "gates": _listed({name: f"{gate.state} {-100 * gate.delta:+.1f}" for name, gate in cell.gates.items()})
        if cell else None,
        "channels": _listed({name: f"{seen.total:g}/{seen.n}" for name, (_, seen) in cell.channels.items()})
        if cell else None,
        "release": scheme.get("release"),
        "court": scheme.get("court"),
        "access": attack.get("access"),
        "family": attack.get("family"),
        "thief_pool": board.run.profile["thief"]["pool"],
        "thief_share": board.run.profile["thief"]["share"],
        "seconds": cost and cost.seconds,
        "of_training_a_host": cost.seconds / board.host_seconds if cost and board.host_seconds else None,
        "peak_memory_mb": cost and cost.peak_memory_mb,
        "steps": cost and cost.steps,
        "samples": cost and cost.samples,
        "labelled": cost and cost.labelled,
        "unlabelled": cost and cost.unlabelled,
        "queries": cost and cost.queries,
        **{f"job_{role}": jobs.get(role) for role in ("marked", "attacked", "suspect", "judged", "nulls")},
    }  # fmt: skip


def _evidence(prefix: str, found: Evidence | None) -> dict[str, Any]:
    pool = found.pools.get(OWN_POOL, {}) if found else {}
    names = (
        "state",
        "total",
        "n",
        "rate",
        "log10_p",
        "log10_p_key",
        "log10_p_null",
        "grade",
        "theta",
        "theta0",
        "upper",
    )
    columns = {name: getattr(found, name) if found else None for name in names}
    low, high = found.interval if found else (None, None)
    nulls = {"nulls": pool.get("J"), "null_mean": pool.get("mean"), "null_max": pool.get("max")}
    return {prefix + name: value for name, value in {**columns, "rate_low": low, "rate_high": high, **nulls}.items()}


def _listed(named: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in named.items())
