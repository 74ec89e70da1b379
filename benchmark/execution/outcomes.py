"""What a worker says became of a step: read with suspicion, since somebody else's code may have written it."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from typing import Any

from benchmark.planning.job import Job
from benchmark.store.records import STATUSES

_SUMS, _PEAKS = ("seconds", "cpu_seconds"), ("peak_memory_mb",)


def read_outcome(line: bytes, job: Job, nonce: str) -> dict[str, Any]:
    """The outcome in a worker's message: status, reason, result, run, and damaged where that is the status.

    Raises ValueError unless it answers for this job and carries the nonce that the step was handed out with.
    """
    try:
        message = json.loads(line)
        outcome = {"reason": None, "damaged": None, **message["outcome"]}
        result, run = outcome["result"], outcome["run"]
        json.dumps(outcome, allow_nan=False)
        sound = (
            (message["job"], message["nonce"]) == (job.id, nonce)
            and outcome["status"] in STATUSES | {"damaged"}
            and all(isinstance(outcome[name], str | None) for name in ("reason", "damaged"))
            and all(isinstance(one, dict) for one in (result, run, result.get("artefacts", {})))
            and all(isinstance(run.get(name, 0), int | float) for name in (*_SUMS, *_PEAKS))
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"no outcome: {type(error).__name__}") from error
    if not sound:
        raise ValueError("no outcome of this job")
    return outcome


def joined_results(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """What two steps found: all of it, and all their artefacts."""
    artefacts = {**first.get("artefacts", {}), **second.get("artefacts", {})}
    return {**first, **second, **({"artefacts": artefacts} if artefacts else {})}


def joined_runs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """How two steps ran: their times added up, the higher peak, and of the rest what the first says."""
    found = {**second, **first}
    for names, joined in ((_SUMS, sum), (_PEAKS, max)):
        found |= {name: joined((first[name], second[name])) for name in names if name in first and name in second}
    return found


def death(exitcode: int | None) -> str:
    """A sentence on a process that ended in the middle of a step."""
    if exitcode is None:
        return "The worker process closed its connection in the middle of the job."
    if exitcode >= 0:
        return f"The worker process exited with code {exitcode} in the middle of the job."
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:  # a real-time signal
        name = f"signal {-exitcode}"
    hint = ", often a sign that the machine ran out of memory" if name == "SIGKILL" else ""
    return f"The worker process was killed by {name}{hint}."
