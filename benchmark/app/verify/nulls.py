"""The unmarked models that a suspect outside of any run is compared with: trained once, and kept in a store."""

from __future__ import annotations

from rich.console import Console

from benchmark.errors import BenchError
from benchmark.execution.run import Machine, carry_out
from benchmark.planning.clocks.estimates import Estimates
from benchmark.planning.job import Job
from benchmark.planning.null_pools import null_jobs
from benchmark.planning.profile import Profile
from benchmark.plugins.registry import Registry
from benchmark.protocol.answers import Answers
from benchmark.protocol.objects import Service
from benchmark.store import artefacts
from benchmark.store.records import RecordStore
from leaderboard.judge.case_file import COUNTED

Null = tuple[Service, Answers]  # a model, and what it answers to the judge's images


def null_models(
    profile: Profile, registry: Registry, machine: Machine, console: Console, suspect: str | None
) -> tuple[dict[str, list[Null]], int]:
    """The profile's nulls by pool, and how many are the model with the SHA-256 `suspect` itself.

    These are left out of the pools; and of a suspect that is a null, its own surrogate or what it was copied from.
    """
    store = machine.store
    roles, jobs = null_jobs(profile, registry, Estimates(profile, store, machine.device))
    retries: tuple[tuple[str, ...], ...] = ((), ("damaged",))
    for retry in retries:  # the second time only where an artefact was damaged
        if retry or not all(store.finished(job.id) for job in jobs):
            with machine.lock(console):
                carry_out(jobs, machine, console, retry=retry)
        try:
            found = {job.id: _null(job, store) for job in jobs}
        except artefacts.DamagedArtefact as damaged:
            console.print(f"{damaged}: it is made again", style="yellow", markup=False)
            continue
        own = [job for job in jobs if found[job.id][0] == suspect]
        lineage = {one for job in own for one in (job.id, *job.parents)}
        kept = {job.id for job in jobs if lineage.isdisjoint((job.id, *job.parents))}
        pools = {pool: roles[role] for pool, role in COUNTED.items() if role in roles}
        return {pool: [found[id][1] for id in ids if id in kept] for pool, ids in pools.items()}, len(own)
    raise BenchError(f"the unmarked models in {store.root} are damaged again and again: choose another --nulls")


def _null(job: Job, store: RecordStore) -> tuple[str, Null]:
    """The null that a job trained, and the SHA-256 of its file. Raises DamagedArtefact or BenchError."""
    record = store.read(job.id)
    if record is None or record["status"] != "ok":
        why = record["reason"] if record else "it did not run"
        raise BenchError(f"{job.label} could not be trained ({why}): there is nothing to compare with")
    digests = record["result"]["artefacts"]
    service = artefacts.read_service(store.artefact_path(job.id, "service"), job.id, digests["service"])
    answers = artefacts.read_answers(store.artefact_path(job.id, "answers"), job.id, digests["answers"])
    return digests["service"], (service, answers)
