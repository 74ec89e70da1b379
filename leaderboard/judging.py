"""From what the jobs of a cell found to its verdict: read once, decided at any alpha and budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leaderboard.evidence import OWN_POOL, Evidence, Weighing
from leaderboard.jobs import Observation, null_models, nulls_of, observations, outcomes
from leaderboard.run import Run
from leaderboard.tracks import Track
from leaderboard.utility import Outcomes, Utility, compare
from leaderboard.verdicts import (
    SEARCHED,
    Acceptance,
    Verdict,
    acceptance,
    cell_verdict,
    claim_verdict,
    innocent_verdict,
    search_bits,
)


@dataclass(frozen=True)
class Court:
    """What a verdict is read at: alpha, a probability, and the utility budget, in `unit`."""

    alpha: float
    budget: float
    unit: str = "points"

    @classmethod
    def of(cls, track: Track) -> Court:
        return cls(track.alpha, track.budget, track.unit)

    def compare(self, before: Outcomes, after: Outcomes) -> Utility:
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
    marked: Outcomes | None = None
    attacked: Outcomes | None = None
    scratch: Outcomes | None = None
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
        if innocent:  # it is never one of the nulls it is measured by
            own = frozenset(run.ancestors(jobs["suspect"]))
            after = weighing(run, jobs["judged"], {OWN_POOL: jobs["nulls"]}, left_out=own)
            return Found(after, suspect, innocent=True)
        pools = {OWN_POOL: jobs["nulls"]} | ({"attacked": jobs["attacked_null"]} if "attacked_null" in jobs else {})
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


def decide(found: Found, court: Court) -> Decision:
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
    nulls = jobs.get("fresh_nulls", jobs.get("nulls"))
    if nulls is None or run.result(jobs.get("fresh")) is None or run.result(nulls) is None:
        return None
    return weighing(run, jobs["fresh"], {OWN_POOL: nulls})


def weighing(
    run: Run,
    judged: str,
    pools: Mapping[str, str],
    *,
    search_bits: int = 0,
    left_out: frozenset[str] = frozenset(),
) -> Weighing:
    """A judged job's suspect against jobs that judged nulls, without the models `left_out`."""

    def read() -> Weighing:
        there = {pool: job for pool, job in pools.items() if run.result(job) is not None}
        nulls = {pool: [seen for model, seen in nulls_of(run, job) if model not in left_out]
                 for pool, job in there.items()}  # fmt: skip
        suspect = observations(run, judged)[0]
        if suspect["unreadable"] is not None:  # it names no channel: what the nulls were scored on is meant
            channel = next((seen["evidence"] for seen in nulls[OWN_POOL] if seen["unreadable"] is None), "")
            suspect = {**suspect, "evidence": channel}
        useless = {pool: len(null_models(run, job)) - len(nulls_of(run, job)) for pool, job in there.items()}
        return Weighing.of(suspect, nulls, search_bits=search_bits, useless=useless)

    return run.once(("weighing", judged, tuple(pools.items()), search_bits, left_out), read)
