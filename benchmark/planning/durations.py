"""How long work took before: what the plan's estimates and the display's time left start from."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from benchmark.planning.job_payload import work_key


def history(store: Path) -> dict[str, float]:
    """Median seconds by `work_key` over the store's finished jobs; unreadable records are passed over."""
    seconds: dict[str, list[float]] = {}
    for path in (store / "records").glob("*/*.json"):
        try:
            record = json.loads(path.read_bytes())
            took = float(record["run"]["seconds"])
            seconds.setdefault(work_key(record["job"]), []).append(took)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the store itself names and sets aside what is damaged
    return {key: median(values) for key, values in seconds.items()}
