"""What a job will take of a GPU, judged by jobs alike that ran before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.planning.job import Job
from benchmark.store.records import RecordStore
from benchmark.vocabulary import JobKind

CONTEXT_MB = 900.0  # what a process holds beside its tensors: 31 GB by 12 workers of up to 3 (docs/workers.md)
UNKNOWN_MB = 4000.0  # for the tensors of a job that no other was alike
SPARE = 1.25  # over the most that torch had asked the device for in a job alike
_TRAINING: Mapping[JobKind, bool] = {
    "host": True, "null": True, "marked": True, "twin": True, "judged": False, "drawn": False,
}  # fmt: skip
_TRAINING_CALL = re.compile(rb"\.(fit|minimise|backward|as_owner)\(")
_MOST_MB = 1e9


@dataclass(frozen=True)
class Need:
    """memory_mb: of the device, its process's context included. trains: it makes optimiser steps."""

    memory_mb: float
    trains: bool


class Needs:
    """What jobs were seen to take, by what they do in which world: the highest peak, and whether one trained."""

    def __init__(self) -> None:
        self._peaks: dict[str, float] = {}
        self._trained: dict[str, bool] = {}
        self._known: dict[str, str] = {}  # what a job does in which world, by its id: it is asked for often

    @classmethod
    def of_store(cls, root: Path) -> Needs:
        """What the store's finished jobs took on a GPU; damaged records, and odd ones, are passed over."""
        needs = cls()
        for record in RecordStore(root).readable():
            with suppress(ValueError, TypeError, AttributeError):  # whole, but not what a worker wrote
                if record["status"] == "ok":
                    needs.learn(record["job"], record["result"], record["run"])
        return needs

    def of(self, job: Job) -> Need:
        """What to declare for `job`; an attack that was never seen trains if its file has a call for that."""
        alike = self._work_of(job)
        peak = SPARE * self._peaks[alike] if alike in self._peaks else UNKNOWN_MB
        trains = _TRAINING.get(job.kind, self._trained.get(alike))
        if trains is None:
            trains = any(_calls_training(source.path) for name, source in job.sources.items() if name != "scheme")
        return Need((2 if job.foreign else 1) * CONTEXT_MB + peak, trains)  # a suspect's process is beside the court's

    def learn(self, payload: Mapping[str, Any], result: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        """A job with this payload ended well. What a CPU says of its memory doesn't count.

        Somebody else's code may have written `result`, so nothing of its form is certain.
        """
        peak, cost = float(run.get("peak_memory_mb", 0.0)), result.get("cost")
        if run.get("device") == "cuda" and 0 < peak < _MOST_MB:
            alike = _work(payload)
            self._peaks[alike] = max(peak, self._peaks.get(alike, 0.0))
            trained = isinstance(cost, Mapping) and bool(cost.get("steps"))
            self._trained[alike] = trained or self._trained.get(alike, False)

    def ran_out(self, job: Job) -> None:
        """A job ran out of memory beside others: jobs alike declare twice as much from now on."""
        alike = self._work_of(job)
        self._peaks[alike] = 2 * self._peaks.get(alike, UNKNOWN_MB / SPARE)

    def _work_of(self, job: Job) -> str:
        if job.id not in self._known:
            self._known[job.id] = _work(job.payload)
        return self._known[job.id]


@cache
def _calls_training(path: str) -> bool:
    with suppress(OSError):
        return _TRAINING_CALL.search(Path(path).read_bytes()) is not None
    return True


def _work(payload: Mapping[str, Any]) -> str:
    """What decides how much memory a job takes: what it does in which world, not its seed or its parents."""
    deciding = ("kind", "world", "scheme", "stages", "thief")
    return json.dumps([payload.get(name) for name in deciding], sort_keys=True)
