"""From what the jobs of a cell found to its verdict: read once, decided at any alpha and budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leaderboard.judge.evidence import OWN_POOL, Evidence, Weighing
from leaderboard.judge.results import Observation, null_models, nulls_of, observations, outcomes, unrelated_nulls
from leaderboard.judge.run import Run
from leaderboard.judge.tracks import Track
from leaderboard.judge.verdicts import (
    SEARCHED,
    Acceptance,
    Verdict,
    acceptance,
    cell_verdict,
    claim_verdict,
    innocent_verdict,
    search_bits,
)
from leaderboard.stats.null_tests import SURROGATE_POOL
from leaderboard.stats.utility_test import ItemOutcomes, Utility, compare

COUNTED = {OWN_POOL: "nulls", SURROGATE_POOL: "surrogate_nulls"}  # pools that count, by the role that judged them


@dataclass(frozen=True)
class Thresholds:
    """What a verdict is read at: alpha, a probability, and the utility budget, in `unit`."""

    alpha: float
    budget: float
    unit: str = "points"

    @classmethod
    def of(cls, track: Track) -> Thresholds:
        return cls(track.alpha, track.budget, track.unit)

    def compare(self, before: ItemOutcomes, after: ItemOutcomes) -> Utility:
        """The paired test of two models' outcomes at the budget."""
        return compare(before, after, self.budget, self.unit)

    def gates(self, seen: Observation) -> dict[str, Utility]:
        """The gates of one observation, by name: right and wrong answers with and without the claimed key."""
        return {
            name: self.compare({"correct": gate["before"]}, {"correct": gate["after"]})
            for name, gate in seen["gates"].items()
        }


@dataclass(frozen=True)
class Found:
    """What the verdict of one cell rests on, before any threshold.

    before, after: the mark in the model as delivered and in the suspect. uncharged: a claim's, without the charge for
    a search, where there is one. gates: outcomes by name. marked, attacked, scratch: outcomes on the test set.
    admission: of a claim; empty for owners' marks and innocents.
    """

    after: Weighing
    gates: Observation
    before: Weighing | None = None
    uncharged: Weighing | None = None
    marked: ItemOutcomes | None = None
    attacked: ItemOutcomes | None = None
    scratch: ItemOutcomes | None = None
    admission: Mapping[str, Any] | None = None
    innocent: bool = False


@dataclass(frozen=True)
class Decision:
    """The words of the two courts, and the evidence and gates they rest on."""

    verdict: Verdict
    committed: Verdict | None
    after: Evidence
    gates: Mapping[str, Utility]


def find(run: Run, jobs: Mapping[str, str], *, innocent: bool, claim: bool) -> Found:
    """What the jobs of a cell found; every job it needs has a result.

    Raises ValueError, KeyError or TypeError where a plug-in's observations don't fit together.
    """

    def read() -> Found:
        suspect = observations(run, jobs["judged"])[0]
        pools = counted_pools(jobs)
        if innocent:  # neither it nor what it was made from is among the nulls it is measured by
            return Found(weighing(run, jobs["judged"], pools, innocent=jobs["suspect"]), suspect, innocent=True)
        pools |= {"attacked": jobs["attacked_null"]} if "attacked_null" in jobs else {}
        before = fresh(run, jobs)
        if claim:
            judged = run.result(jobs["judged"]) or {}
            charge = search_bits(judged["admission"])
            return Found(
                after=weighing(run, jobs["judged"], pools, search_bits=charge),
                gates=suspect,
                before=before,
                uncharged=weighing(run, jobs["judged"], pools) if charge else None,
                admission=judged["admission"],
            )
        return Found(
            after=weighing(run, jobs["judged"], pools),
            gates=suspect,
            before=before,
            marked=outcomes(run, jobs["marked"]),
            attacked=outcomes(run, jobs["attacked"]),
            scratch=outcomes(run, jobs.get("scratch")) if jobs.get("scratch") != jobs["attacked"] else None,
        )

    return run.once(("found", innocent, claim, *jobs.items()), read)


def decide(found: Found, court: Thresholds) -> Decision:
    """The verdict at one court's thresholds."""
    after, gates = found.after.at(court.alpha), court.gates(found.gates)
    if found.innocent:
        return Decision(innocent_verdict(after, gates), None, after, gates)
    if found.admission is not None:
        accepted = acceptance(after, gates)
        free = found.uncharged
        if after.state != "present" and free is not None and free.at(court.alpha).state == "present":
            accepted = Acceptance("refused", SEARCHED)
        alone, committed = (
            claim_verdict(found.admission, accepted, commitment_required=asks) for asks in (False, True)
        )
        return Decision(alone, committed, after, gates)
    assert found.before is not None
    assert found.marked is not None
    assert found.attacked is not None
    scratch = court.compare(found.attacked, found.scratch) if found.scratch else None
    before, used = found.before.at(court.alpha), court.compare(found.marked, found.attacked)
    return Decision(cell_verdict(before, after, used, gates=gates, scratch=scratch), None, after, gates)


def fresh(run: Run, jobs: Mapping[str, str]) -> Weighing | None:
    """The mark in the model as delivered, under the owner's key; None where it was not judged."""
    pools = counted_pools(jobs, fresh=True)
    if OWN_POOL not in pools or any(run.result(job) is None for job in (jobs.get("fresh"), *pools.values())):
        return None
    return weighing(run, jobs["fresh"], pools)


def counted_pools(jobs: Mapping[str, str | None], *, fresh: bool = False) -> dict[str, str]:
    """The jobs that judged the pools that count, by pool. fresh: under the owner's key, also where a claim brings one.

    A run of before there were surrogates has clean nulls alone.
    """
    found = {pool: jobs.get(role) for pool, role in COUNTED.items()}
    if fresh:
        found = {pool: jobs.get(f"fresh_{role}", found[pool]) for pool, role in COUNTED.items()}
    return {pool: job for pool, job in found.items() if job is not None}


def weighing(
    run: Run,
    judged: str,
    pools: Mapping[str, str],
    *,
    search_bits: int = 0,
    innocent: str | None = None,
) -> Weighing:
    """A judged job's suspect against jobs that judged nulls; of an `innocent` one, without the nulls it is akin to."""

    def read() -> Weighing:
        there = {pool: job for pool, job in pools.items() if run.result(job) is not None}
        nulls = {
            pool: [seen for _, seen in nulls_of(run, job)] if innocent is None else unrelated_nulls(run, job, innocent)
            for pool, job in there.items()
        }
        suspect = observations(run, judged)[0]
        if suspect["unreadable"] is not None:  # it names no channel: what the nulls were scored on is meant
            channel = next((seen["evidence"] for seen in nulls[OWN_POOL] if seen["unreadable"] is None), "")
            suspect = {**suspect, "evidence": channel}
        useless = {pool: len(null_models(run, job)) - len(nulls_of(run, job)) for pool, job in there.items()}
        return Weighing.of(suspect, nulls, search_bits=search_bits, useless=useless)

    return run.once(("weighing", judged, tuple(pools.items()), search_bits, innocent), read)
