"""The case file of a cell: what its verdict and its row rest on, looked up in the records once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmark.vocabulary import SCRATCH_POOL
from leaderboard.judge.evidence import Weighing
from leaderboard.judge.grinding import ground_bits
from leaderboard.judge.nulls import Nulls
from leaderboard.judge.results import Observation, missing, null_observations, observations, outcomes, useless_nulls
from leaderboard.judge.run import Run
from leaderboard.judge.verdicts import SEARCH_BITS, Verdict
from leaderboard.stats.null_tests import OWN_POOL, SURROGATE_POOL
from leaderboard.stats.utility_test import ItemOutcomes

# pools that count, by the role that judged them
COUNTED = {OWN_POOL: "nulls", SURROGATE_POOL: "surrogate_nulls", SCRATCH_POOL: "scratch_nulls"}


@dataclass(frozen=True)
class CaseFile:
    """What the records hold of one cell, before any threshold is applied; None where the jobs did not get that far.

    missing: the verdict of a cell whose jobs have no result. delivered, suspect, scratch, twin: outcomes on the test
    set; the twin is an unmarked net that was trained as long as the marked one, which older runs don't have. fresh,
    seen: what the court saw of the model as delivered, and of the suspect. before, after: the same, weighed against the
    nulls; searched: `after`, charged with the keys that a claimant may have tried, where his key is behind a hash. Of a
    key that can be ground, `after` is charged too, by its fit to unmarked readings. admission: of a claimed key; None
    for owners' marks and innocents. agreement: between delivered model and suspect. overlap: how many `of` the key's
    images the thief `held`; None where that was not counted.
    """

    innocent: bool = False
    claim: bool = False
    missing: Verdict | None = None
    delivered: ItemOutcomes | None = None
    suspect: ItemOutcomes | None = None
    scratch: ItemOutcomes | None = None
    twin: ItemOutcomes | None = None
    fresh: Observation | None = None
    seen: Observation | None = None
    before: Weighing | None = None
    after: Weighing | None = None
    searched: Weighing | None = None
    admission: Mapping[str, Any] | None = None
    agreement: Mapping[str, Any] | None = None
    overlap: Mapping[str, int] | None = None


def read_case(run: Run, jobs: Mapping[str, str], *, innocent: bool, claim: bool, channel: str = "") -> CaseFile:
    """The case file of a cell: of an owner's mark after an attack, of a claim, or of an innocent model.

    jobs: ids by role. A model that nobody attacked has the role "suspect": an innocent, or one from outside any run.
    channel: the one that decides instead of the scheme's own, on every model, where the scheme observes it. Raises
    ValueError, KeyError or TypeError where a plug-in's observations don't fit together.
    """
    name = "case", innocent, claim, channel, *jobs.items()
    return run.once(name, lambda: _read(run, jobs, innocent, claim, channel))


def _read(run: Run, jobs: Mapping[str, str], innocent: bool, claim: bool, channel: str) -> CaseFile:
    pools = [role for role in COUNTED.values() if role == "nulls" or role in jobs]
    if innocent or "suspect" in jobs:
        needed = ["suspect", "judged", *pools]
        case = CaseFile(innocent, claim, missing(run, jobs, needed), suspect=outcomes(run, jobs.get("suspect")))
    else:
        needed = ["marked", *([] if claim else ["fresh"]), "attacked", "judged", *pools]
        case = CaseFile(
            claim=claim,
            missing=missing(run, jobs, needed),
            delivered=outcomes(run, jobs.get("innocent", jobs.get("marked"))),
            suspect=outcomes(run, jobs.get("attacked")),
            agreement=(run.result(jobs.get("attacked")) or {}).get("agreement"),
            # a false claim is about an innocent model, which has no mark of the owner's
            before=None if "innocent" in jobs else delivered_mark(run, jobs, channel),
        )
    return case if case.missing else _examined(run, jobs, case, channel)


def _examined(run: Run, jobs: Mapping[str, str], case: CaseFile, channel: str) -> CaseFile:
    """The same with what the court saw."""
    judged, pools = jobs["judged"], counted_pools(jobs)
    seen = _read_on(channel, observations(run, judged)[0])
    if case.innocent:  # neither it nor what it was made from is among the nulls it is measured by
        return replace(case, seen=seen, after=weighing(run, judged, pools, innocent=jobs["suspect"], channel=channel))
    pools |= {"attacked": jobs["attacked_null"]} if "attacked_null" in jobs else {}
    if not case.claim:
        case = replace(case, seen=seen, after=weighing(run, judged, pools, channel=channel))
        scratch = outcomes(run, jobs.get("scratch")) if jobs.get("scratch") != jobs["attacked"] else None
        twin, overlap = outcomes(run, jobs.get("twin")), (run.result(judged) or {}).get("overlap")
        fresh = _read_on(channel, observations(run, jobs["fresh"])[0])
        return replace(case, fresh=fresh, scratch=scratch, twin=twin, overlap=overlap)
    admission = (run.result(judged) or {})["admission"]
    ground = _ground(run, seen, pools, admission.get("grindable"))
    after = weighing(run, judged, pools, search_bits=ground)
    charge = max(SEARCH_BITS, ground) if admission["hash_bound"] else 0
    searched = weighing(run, judged, pools, search_bits=charge) if charge else None
    return replace(case, seen=seen, after=after, admission=admission, searched=searched)


def _ground(run: Run, seen: Observation, pools: Mapping[str, str], channel: str | None) -> int:
    """The charge for grinding, in bits: by the nulls, and the `channel` of clean images that the admission names."""
    if channel is None or seen["unreadable"] is not None:
        return 0
    judged = [job for job in pools.values() if run.result(job) is not None]
    nulls = [null for job in judged for null in null_observations(run, job) if null["unreadable"] is None]
    return ground_bits([seen["channels"][channel], *(null["channels"][null["evidence"]] for null in nulls)])


def _read_on(channel: str, seen: Observation) -> Observation:
    """An observation whose evidence is `channel`, where it has that; the views of its own evidence are none of it."""
    return {**seen, "evidence": channel, "views": []} if channel in seen["channels"] else seen


def delivered_mark(run: Run, jobs: Mapping[str, str], channel: str = "") -> Weighing | None:
    """The mark in the model as delivered, under the owner's key; None where it was not judged."""
    pools = counted_pools(jobs, fresh=True)
    if OWN_POOL not in pools or any(run.result(job) is None for job in (jobs.get("fresh"), *pools.values())):
        return None
    return weighing(run, jobs["fresh"], pools, channel=channel)


def counted_pools(jobs: Mapping[str, str | None], *, fresh: bool = False) -> dict[str, str]:
    """The jobs that judged the pools that count, by pool; runs of older versions have clean nulls alone.

    fresh: under the owner's key, also in a cell that is judged under a thief's.
    """
    found = {pool: jobs.get(f"fresh_{role}" if fresh else role, jobs.get(role)) for pool, role in COUNTED.items()}
    return {pool: job for pool, job in found.items() if job is not None}


def weighing(
    run: Run,
    judged: str,
    pools: Mapping[str, str],
    *,
    search_bits: int = 0,
    innocent: str | None = None,
    channel: str = "",
) -> Weighing:
    """A judged job's suspect against jobs that judged nulls; of an `innocent` one, without the nulls it is akin to.

    channel: as in `read_case`.
    """

    def read() -> Weighing:
        there = {pool: job for pool, job in pools.items() if run.result(job) is not None}
        nulls = {pool: _nulls(run, pool, job, innocent) for pool, job in there.items()}
        suspect = _read_on(channel, observations(run, judged)[0])
        if suspect["unreadable"] is not None:  # it names no channel: what the nulls were scored on is meant
            scored = (_read_on(channel, seen)["evidence"] for seen in nulls[OWN_POOL].readable)
            suspect = {**suspect, "evidence": next(scored, "")}
        useless = {pool: useless_nulls(run, job) for pool, job in there.items()}
        return Weighing.of(suspect, nulls, search_bits=search_bits, useless=useless)

    return run.once(("weighing", judged, tuple(pools.items()), search_bits, innocent, channel), read)


def _nulls(run: Run, pool: str, judged: str, innocent: str | None) -> Nulls:
    """A pool of nulls under one key, without those akin to an `innocent`, kept for all cells of its scheme and seed."""
    return run.once(("pool", pool, judged, innocent), lambda: Nulls(pool, null_observations(run, judged, innocent)))
