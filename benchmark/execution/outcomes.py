"""What a worker says became of a step: read with suspicion, since somebody else's code may have written it."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypedDict

from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.files import json_value
from benchmark.planning.job import Job
from benchmark.store.records import Status

_SUMS, _PEAKS = ("seconds", "cpu_seconds"), ("peak_memory_mb",)
_MOST = 1e9  # seconds, or MB


@dataclass(frozen=True)
class _Ran:
    """How a step ran. A record of a job that ended ok needs some of it (`benchmark.store.results.Circumstances`)."""

    in_part: ClassVar = True
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    device: str = ""
    hardware: str = ""
    cpu: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    traceback: str = ""

    def __post_init__(self) -> None:
        if not all(0 <= getattr(self, name) < _MOST for name in (*_SUMS, *_PEAKS)):
            raise ValueError(f"times and memory must lie between 0 and {_MOST:g}")


@dataclass(frozen=True)
class _Found:
    in_part: ClassVar = True
    artefacts: Mapping[str, str] = field(default_factory=dict)


class _Outcome(TypedDict):
    status: Literal[Status, "damaged"]
    reason: str | None
    damaged: str | None
    result: _Found
    run: _Ran


def read_outcome(line: bytes, job: Job, nonce: str) -> dict[str, Any]:
    """The outcome in a worker's message: status, reason, result, run, and damaged where that is the status.

    It is a crash where a file with such values could not be read again. Raises ValueError unless it answers for this
    job and carries the nonce that the step was handed out with.
    """
    try:
        message = json.loads(line)
        answers = (message["job"], message["nonce"]) == (job.id, nonce) and isinstance(message["outcome"], dict)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"no outcome: {type(error).__name__}") from error
    if not answers:
        raise ValueError("no outcome of this job")
    outcome = {"reason": None, "damaged": None, **message["outcome"]}
    try:
        json_value(line)
        read(_Outcome, outcome)
    except (ValueError, BenchError) as error:
        reason = f"What its process said can't be recorded: {error}"
        return {"status": "crashed", "reason": reason, "result": {}, "run": {}, "damaged": None}
    return outcome


def joined_results(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """What two steps found: all of it, and all their artefacts."""
    artefacts = {**first.get("artefacts", {}), **second.get("artefacts", {})}
    return {**first, **second, **({"artefacts": artefacts} if artefacts else {})}


def joined_runs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """How two steps ran: their times added up, the higher peak, and of the rest what the second, the court's, says."""
    found = {**first, **second}
    for names, joined in ((_SUMS, sum), (_PEAKS, max)):
        found |= {name: joined((first[name], second[name])) for name in names if name in first and name in second}
    return found


def death(exitcode: int | None, memory_ran_out: bool) -> tuple[Status, str]:
    """The status and a sentence for a step whose process ended in the middle. memory_ran_out: so says the kernel."""
    if exitcode is None:
        return "killed", "The worker process closed its connection in the middle of the job."
    if exitcode >= 0:
        return "killed", f"The worker process exited with code {exitcode} in the middle of the job."
    if exitcode == -signal.SIGKILL and memory_ran_out:
        return (
            "oom",
            "The system killed the worker process because memory ran out: free some of it.",
        )
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:  # a real-time signal
        name = f"signal {-exitcode}"
    hint = ", often a sign that the machine ran out of memory" if name == "SIGKILL" else ""
    return "killed", f"The worker process was killed by {name}{hint}."
