"""A job: one node of the plan's graph, described well enough to run in any process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.vocabulary import JobKind, JobRole, JobStep


@dataclass(frozen=True, slots=True)
class PluginSource:
    """Where a plug-in class lies, and the hash its code had when the plan was made.

    trusted: a built-in, not a file of somebody else's, even if that holds a built-in's text. builder: the name of the
    nets that it makes, where `class_name` is a function that makes the house nets; "" of a plug-in.
    """

    path: str
    class_name: str
    code: str
    trusted: bool = True
    builder: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One step of the benchmark.

    `payload` holds everything that decides the result and nothing else, so that `id`, its SHA-256, names the
    result: device, worker count and paths stay out of it. `sources`: where the code of its plug-ins is. `given`: by the
    id of a parent, the SHA-256 of its artefacts by role, for a process that may read no record. `weights`: where the
    owner's file lies that the payload names by its SHA-256; "" where he brought none.
    """

    id: str
    kind: JobKind
    role: JobRole
    label: str
    payload: Mapping[str, Any]  # JSON
    parents: tuple[str, ...] = ()
    sources: Mapping[str, PluginSource] = field(default_factory=dict)
    seconds: float = 1.0  # expected on one worker of this device, for the order and the time left
    timeout: float = 600.0  # seconds after which the process is killed
    given: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    weights: str = ""

    @property
    def steps(self) -> tuple[JobStep, ...]:
        """What is done one after another: a model is made by its party and then asked by the court."""
        return ("judge",) if self.kind in ("judged", "drawn") else ("make", "answer")

    @property
    def foreign(self) -> bool:
        """Whether code runs in it that is not the benchmark's own."""
        return any(not source.trusted for source in self.sources.values())


def ways(jobs: Sequence[Job]) -> dict[str, float]:
    """By id, the expected seconds from the start of a job to the end of the longest chain of jobs that need it.

    jobs: parents before children, as plans list them; parents that are not among them are finished.
    """
    own = {job.id: job.seconds for job in jobs}
    found = dict(own)
    for job in reversed(jobs):
        for parent in job.parents:
            if parent in own:
                found[parent] = max(found[parent], own[parent] + found[job.id])
    return found
