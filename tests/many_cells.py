"""How long pages take: a run of many cells, made up from a published one, read, judged and written.

`python tests/many_cells.py --cells 10000`. No torch is imported.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from benchmark.identity import job_id
from benchmark.store.gc_pause import paused
from benchmark.store.records import Record, RecordStore, sealed
from leaderboard.judge.board import Board, judge
from leaderboard.judge.published import PUBLISHED
from leaderboard.judge.run import Run, read_run
from leaderboard.pages.export import page_makers

_FLIPPED = 0.01  # of the outcomes of every copy, so that no two copies share a result


def copies(folder: Path, cells: int) -> tuple[dict[str, Any], Iterator[Record]]:
    """A run.json of at least `cells` cells and its records: copies of a published run as further schemes."""
    run = read_run(folder)
    described = run.described
    count = -(-cells // len(described["cells"]))
    ids = [_ids(run, copy) for copy in range(count)]
    made: dict[str, Any] = {
        **described,
        "schemes": [
            {**scheme, "label": _label(scheme["label"], copy)}
            for copy in range(count)
            for scheme in described["schemes"]
        ],
        "cells": [
            {
                **cell,
                "scheme": _label(cell["scheme"], copy),
                "jobs": {role: ids[copy][job] for role, job in cell["jobs"].items()},
            }
            for copy in range(count)
            for cell in described["cells"]
        ],
        "jobs": {
            ids[copy][job]: {**entry, "parents": [ids[copy][parent] for parent in entry["parents"]]}
            for copy in range(count)
            for job, entry in described["jobs"].items()
        },
    }
    return made, (_copied(record, ids[copy], copy) for copy in range(count) for record in run.records.values())


def _label(label: str, group: int) -> str:
    return f"{label} {group}" if group else label


def _ids(run: Run, copy: int) -> dict[str, str]:
    """The id of every job's copy: that of its payload, or of its old id where it has no record."""
    jobs = run.described["jobs"]
    ids: dict[str, str] = {}
    for job in TopologicalSorter({job: entry["parents"] for job, entry in jobs.items()}).static_order():
        payload = run.records[job]["job"] if job in run.records else {"id": job}
        ids[job] = job_id(_renamed(payload, ids, copy))
    return ids


def _renamed(payload: Mapping[str, Any], ids: Mapping[str, str], copy: int) -> dict[str, Any]:
    return {**payload, "suspects": [ids[one] for one in payload.get("suspects", [])], "copy": copy}


def _copied(record: Record, ids: Mapping[str, str], copy: int) -> Record:
    rng = random.Random(f"{record['id']} {copy}")
    parents = [ids[parent] for parent in record["parents"]]
    return {**record, "id": ids[record["id"]], "job": _renamed(record["job"], ids, copy), "parents": parents,
            "result": _perturbed(record["result"], rng)}  # fmt: skip


def _perturbed(value: Any, rng: random.Random) -> Any:
    """The same result with a few outcomes turned round."""
    if isinstance(value, dict):
        return {name: _perturbed(member, rng) for name, member in value.items()}
    if isinstance(value, list):
        return [_perturbed(member, rng) for member in value]
    if isinstance(value, str) and len(value) > 1 and set(value) <= {"0", "1"}:
        return "".join("10"[int(one)] if rng.random() < _FLIPPED else one for one in value)
    return value


def write(folder: Path, described: Mapping[str, Any], records: Iterator[Record]) -> RecordStore:
    """Put a run into `folder` as the benchmark leaves it: run.json, and a store with one file per record."""
    (folder / "run.json").write_text(json.dumps(described, indent=1))
    store = RecordStore(folder / "store")
    for record in records:
        path = store.record_path(record["id"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sealed(record))  # no fsync: these are no results
    return store


def measure(folder: Path, store: RecordStore) -> tuple[Board, dict[str, tuple[float, float]]]:
    """The board of a run, and the seconds that each step from its records took: on the clock, and on the processor."""
    took: dict[str, tuple[float, float]] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        start = time.perf_counter(), time.process_time()
        found = step()
        took[name] = time.perf_counter() - start[0], time.process_time() - start[1]
        return found

    run = timed("read", lambda: read_run(folder, store))
    board = timed("judge", lambda: judge(run))
    with paused():  # as write_pages does
        _pages(board, timed)
    return board, took


def _pages(board: Board, timed: Callable[[str, Callable[[], Any]], Any]) -> None:
    makers = timed("curves", lambda: page_makers(board))
    for name, make in makers.items():
        timed(name, make)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/many_cells.py", description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000, help="at least so many cells (default: 10000)")
    parser.add_argument("--run", default="quick", help="the published run to copy (default: quick)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = write(folder, *copies(PUBLISHED / options.run, options.cells))
        board, took = measure(folder, store)
    print(f"{len(board.cells):,} cells, {len(board.run.records):,} records")
    print(f"{'seconds':<18}{'clock':>7}{'processor':>11}")
    whole = sum(clock for clock, _ in took.values()), sum(busy for _, busy in took.values())
    for step, (clock, busy) in {**took, "all": whole}.items():
        print(f"{step:<18}{clock:7.2f}{busy:11.2f}")


if __name__ == "__main__":
    main()
