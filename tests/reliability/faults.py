"""What befalls a run from outside, beside signals and disks, and what of its work is lost."""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

from reliability.plans import LOOKS, Plan, finished
from reliability.strikes import until
from reliability.toll import Row

from benchmark.store.records import RecordStore
from benchmark.store.verify import verify

BITS = 5


def flipped(plan: Plan, reference: dict[str, Any], root: Path, fault: str, times: int) -> Row:
    """One bit in a file of each of some jobs, found or without meaning; then the run that makes them again."""
    row, dice, folder = Row(fault), random.Random(times), root / "flipped"
    store = plan.store(folder)
    plan.finish(folder)
    for _ in range(times):
        before = finished(store)
        hit = dice.sample(sorted(reference), BITS)  # one file of a job: a record names what else there is of it
        changed = [flip(dice.choice(files_of(id, store)), dice) for id in hit]
        row.struck(before)
        found = {store.root / finding.name for finding in verify(store) if finding.kind == "damaged"}
        row.damaged += len(set(changed) - found - {None})
        row.waits.append(plan.finish(folder, "--retry", "damaged"))
        row.compare(before, store, meant=hit)
        row.compare_end(store, reference)
    return row


def files_of(id: str, store: RecordStore) -> list[Path]:
    """The record, models and keys of a job, without what was set aside."""
    return sorted(path for path in store.root.glob(f"*/{id[:2]}/{id}.*") if path.suffix in (".json", ".safetensors"))


def flip(path: Path, dice: random.Random) -> Path | None:
    """The file, changed; None where it says the same as before, as JSON does with 1E-05 for 1e-05."""
    data = path.read_bytes()
    other = bytearray(data)
    other[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(other)
    if path.suffix != ".json":
        return path
    try:
        return None if json.loads(other) == json.loads(data) else path
    except ValueError:
        return path


def two_runs(plan: Plan, reference: dict[str, Any], root: Path, fault: str, times: int) -> Row:
    """Started at once on one store: the second waits, and finds the work of the first."""
    row = Row(fault)
    for number in range(times):
        folder = root / f"two-{number}"
        store = plan.store(folder)
        runs = [plan.start(folder), plan.start(folder)]
        while all(run.poll() is None for run in runs):
            time.sleep(LOOKS)
        before = finished(store)
        for run in runs:
            _, errors = run.communicate(timeout=900)
            assert run.returncode == 0, errors
        row.struck(before)
        row.compare(before, store)
        row.compare_end(store, reference)
    return row


def short_of_memory(plan: Plan, reference: dict[str, Any], root: Path, fault: str, times: int, limit: int) -> Row:
    """A run under a limit in MB that not all jobs can keep; then one without it."""
    row = Row(fault)
    for number in range(times):
        folder = root / f"short-{number}"
        store = plan.store(folder)
        run = plan.start(folder, "--memory", str(limit))
        run.communicate(timeout=900)
        assert run.returncode in (0, 3), run.returncode
        assert any(record["status"] == "oom" for record in store.readable()), "no job met the limit"
        before = finished(store)
        row.struck(before)
        row.waits.append(plan.finish(folder))
        row.compare(before, store)
        row.compare_end(store, reference)
    return row


def closed_output(plan: Plan, reference: dict[str, Any], root: Path, fault: str, times: int) -> Row:
    """Whoever reads the output leaves in the middle of the run."""
    row, dice = Row(fault), random.Random(times)
    for number in range(times):
        folder = root / f"closed-{number}"
        store = plan.store(folder)
        run = plan.start(folder, stdout=subprocess.PIPE)
        assert run.stdout is not None
        until(run, store, dice.uniform(0.1, plan.seconds / 3))
        assert run.poll() is None, "the run ended before its reader left"
        before = finished(store)
        run.stdout.close()
        row.struck(before)
        assert run.wait(timeout=900) == 0
        row.compare(before, store)
        row.compare_end(store, reference)
    return row
