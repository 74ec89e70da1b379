"""What the jobs of a run found, read from their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboard.judge.run import NOT_RUN, Run
from leaderboard.judge.verdicts import Verdict, missing_verdict
from leaderboard.stats.utility_test import ItemOutcomes, does_the_job

Observation = Mapping[str, Any]
_COUNTED = ("labelled", "unlabelled", "queries", "steps", "samples", "operations")


@dataclass(frozen=True)
class Cost:
    """What one job took: seconds on its device, peak memory in MB, and what was used, each counted.

    operations: multiply-adds of the layers that ran; None where an older record did not count them.
    """

    seconds: float
    peak_memory_mb: float
    labelled: int = 0
    unlabelled: int = 0
    queries: int = 0
    steps: int = 0
    samples: int = 0
    operations: int | None = None


def cost_of(run: Run, job: str | None) -> Cost | None:
    """What a job that ended ok took."""

    def read() -> Cost | None:
        result = run.result(job)
        if job is None or result is None:
            return None
        ran = run.records[job]["run"]
        counted = {name: count for name, count in result.get("cost", {}).items() if name in _COUNTED}
        return Cost(ran["seconds"], ran["peak_memory_mb"], **counted)

    return run.once(("cost", job), read)


def outcomes(run: Run, job: str | None) -> ItemOutcomes | None:
    """How a model did on the evaluator's test set, item by item."""
    result = run.result(job)
    return None if result is None else result["utility"]


def observations(run: Run, job: str | None) -> list[Observation]:
    """What a judged job saw, one per suspect; empty where it did not end ok."""
    result = run.result(job)
    return [] if result is None else result["observations"]


def secrets_of(run: Run) -> set[str]:
    """The SHA-256 of the secret that the keys of a run were drawn under; none of a run from before there was one."""
    return {record["job"]["secret"] for record in run.records.values() if "secret" in record["job"]}


def null_models(run: Run, judged: str) -> list[str]:
    """The job ids of the models behind a judged job's observations, in their order."""
    suspects: list[str] = run.records[judged]["job"]["suspects"]
    return suspects


def nulls_of(run: Run, judged: str) -> list[tuple[str, Observation]]:
    """The models behind a judged job that count as nulls, each with what was seen of it.

    A null must do its task: one that does not (`does_the_job`) is left out, whatever it scores under the key.
    """

    def read() -> list[tuple[str, Observation]]:
        both = zip(null_models(run, judged), observations(run, judged), strict=True)
        return [(model, seen) for model, seen in both if does_the_job(outcomes(run, model))]

    return run.once(("nulls", judged), read)


def null_observations(run: Run, judged: str, innocent: str | None = None) -> list[Observation]:
    """What was seen of the nulls behind a judged job; not of those that are akin to an `innocent` suspect.

    Akin are the suspect itself, and models that share one that they were made from.
    """
    own = frozenset(run.ancestors(innocent)) if innocent else frozenset()
    return [seen for model, seen in nulls_of(run, judged) if not own or own.isdisjoint(run.ancestors(model))]


def useless_nulls(run: Run, judged: str) -> int:
    """How many models behind a judged job are left out of the nulls, because they don't do their task."""
    return len(null_models(run, judged)) - len(nulls_of(run, judged))


def missing(run: Run, jobs: Mapping[str, str], roles: Sequence[str]) -> Verdict | None:
    """The verdict of the first job that has no result; a job that failed comes before one that never ran."""
    faults = [fault for role in roles if (fault := run.fault(jobs.get(role))) is not None]
    first = min(faults, key=lambda fault: fault[0] == NOT_RUN, default=None)
    return missing_verdict(*first) if first else None
