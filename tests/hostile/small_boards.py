"""Published runs cut down to a cell or a scheme, so that most wrongs are done to what counts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from mutations import Spoil, json_like, line_like

from benchmark.store.records import with_checksum

PUBLISHED = Path(__file__).parents[2] / "leaderboard" / "published"


def small_board(name: str) -> tuple[bytes, bytes]:
    """run.json and records.jsonl of one cell of a published run, or one scheme of a calibration: about ten records."""
    described = json.loads(gzip.decompress((PUBLISHED / name / "run.json.gz").read_bytes()))
    if "calibration" in described:
        described["calibration"] = [entry := described["calibration"][0]]
        entry["pools"] = {pool: entry["pools"][pool] for pool in ("clean", "attacked")}
        jobs = [entry["marked"], entry["fresh"], entry["drawn"], *entry["pools"].values()]
    else:
        cells = [cell for cell in described["cells"] if "attacked_null" in cell["jobs"]][1:2]
        cells += [cell for cell in described["cells"] if cell["innocent"] and cell["scheme"] == cells[0]["scheme"]][:1]
        described["cells"] = cells
        jobs = [job for cell in cells for job in cell["jobs"].values()]
        for rows, label in (("schemes", "scheme"), ("attacks", "attack")):
            described[rows] = [one for one in described[rows] if one["label"] == cells[0][label]]
    if "reproduction" in described:
        described["reproduction"]["claims"] = described["reproduction"]["claims"][:3]
    packed = gzip.decompress((PUBLISHED / name / "records.jsonl.gz").read_bytes())
    records = {record["id"]: record for record in map(json.loads, packed.splitlines())}
    kept = dict.fromkeys([*jobs, *records[jobs[0]]["parents"]])
    described["jobs"] = {job: described["jobs"][job] for job in kept}
    lines = [json.dumps(_shortened(records[job])) for job in kept if job in records]
    return json.dumps(described).encode(), "".join(f"{line}\n" for line in lines).encode()


def _shortened(record: dict[str, Any]) -> dict[str, Any]:
    """The record with a shorter result, and sealed anew where it was sealed."""
    short = {**record, "result": _short_result(record)}
    return with_checksum(short) if "checksum" in record else short


def _short_result(record: dict[str, Any]) -> Any:
    """A result with shorter lists, and still as many observations as its job has suspects."""
    result = _short(record["result"])
    if record["kind"] == "judged":
        result["observations"] = [_short(one) for one in record["result"]["observations"]]
    return result


def _short(value: Any) -> Any:
    """No list of more than 20, so that most wrongs are done to what counts."""
    if isinstance(value, dict):
        return {name: min(one, 20) if name == "admissible" else _short(one) for name, one in value.items()}
    return [_short(one) for one in value[:20]] if isinstance(value, list) else value


def board_files(run: bytes, records: bytes) -> dict[str, tuple[bytes, Spoil | None]]:
    return {"run.json": (run, json_like), "records.jsonl": (records, line_like)}
