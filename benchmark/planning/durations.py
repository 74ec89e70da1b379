"""How long jobs take and how much they leave on the disk, before they are run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmark.vocabulary import JobKind

TYPICAL_SECONDS: dict[JobKind, float] = {  # on one core, of work that no record has timed
    "host": 2.5, "null": 2.5, "marked": 8.0, "attacked": 2.0, "judged": 0.1, "drawn": 60.0,
}  # fmt: skip
TYPICAL_MEGABYTES: dict[JobKind, float] = {
    "host": 0.1, "null": 0.1, "marked": 0.3, "attacked": 0.1, "judged": 0.01, "drawn": 0.5,
}  # fmt: skip


def work_key(payload: Mapping[str, Any]) -> str:
    """What decides how long a job takes: its kind, plug-ins and parameters, not its parents or seed."""
    stages = "+".join(f"{stage['name']}{stage['parameters']}" for stage in payload.get("stages", ()))
    scheme = payload.get("scheme") or {"name": "", "parameters": ""}
    return f"{payload['kind']} {scheme['name']}{scheme['parameters']} {stages} x{len(payload.get('suspects', ''))}"


def history(store: Path) -> dict[str, float]:
    """Median seconds by `work_key` over the store's finished jobs; unreadable records are passed over."""
    seconds: dict[str, list[float]] = {}
    for path in (store / "records").glob("*/*.json"):
        try:
            record = json.loads(path.read_bytes())
            key, took = work_key(record["job"]), float(record["run"]["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the store itself names and sets aside what is damaged
        seconds.setdefault(key, []).append(took)
    return {key: median(values) for key, values in seconds.items()}
