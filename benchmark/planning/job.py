"""A job: one node of the plan's graph, described well enough to run in any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.vocabulary import JobKind, JobRole


@dataclass(frozen=True)
class PluginSource:
    """Where a plug-in class lies, and the hash its code had when the plan was made."""

    path: str
    class_name: str
    code: str


@dataclass(frozen=True)
class Job:
    """One step of the benchmark.

    `payload` holds everything that decides the result and nothing else, so that `id`, its SHA-256, names the
    result: device, worker count and paths stay out of it. `sources`: where the code of its plug-ins is. `given`: the
    SHA-256 of its parents' artefacts, by parent and role, filled in when the job is started.
    """

    id: str
    kind: JobKind
    role: JobRole
    label: str
    payload: Mapping[str, Any]  # JSON
    parents: tuple[str, ...] = ()
    sources: Mapping[str, PluginSource] = field(default_factory=dict)
    seconds: float = 1.0  # expected duration on one CPU core, for the order and the time left
    timeout: float = 600.0  # seconds after which the process is killed
    given: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
