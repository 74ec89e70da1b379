"""One cell of the matrix: from the records of its jobs to a verdict with everything that backs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leaderboard.evidence import OWN_POOL, Evidence, Weighing
from leaderboard.run import NOT_RUN, Run
from leaderboard.tracks import Track
from leaderboard.utility import Outcomes, Utility, compare, does_the_job, level
from leaderboard.verdicts import (
    SEARCHED,
    Acceptance,
    Verdict,
    acceptance,
    cell_verdict,
    claim_verdict,
    innocent_verdict,
    missing_verdict,
    search_bits,
)

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


@dataclass(frozen=True)
class Channel:
    """The total of one channel out of n items (the mean, for real scores), printed and never counted."""

    total: float
    n: int


@dataclass(frozen=True)
class Agreement:
    """How alike suspect and delivered model answer the test set: share of equal labels, largest gap of scores.

    labels: None where the answers are images.
    """

    labels: float | None
    largest_gap: float


@dataclass(frozen=True)
class Cell:
    """A verdict and what backs it; None or empty where the jobs did not get that far.

    committed: the verdict of a court that asks for commitment (claims only). before, after: evidence in the
    model as delivered and in the suspect. utility: suspect against delivered model. gates: the suspect's.
    channels: those beside the evidence, as (delivered, suspect). accuracy: of the suspect, in [0, 1]; its mean PSNR
    where `unit`, in which changes of utility are told, is dB. pool, share: the thief's images.
    """

    task: str
    unit: str
    scheme: str
    attack: str
    kind: str
    replicate: int
    innocent: bool
    claim: bool
    verdict: Verdict
    jobs: Mapping[str, str]
    committed: Verdict | None = None
    before: Evidence | None = None
    after: Evidence | None = None
    utility: Utility | None = None
    agreement: Agreement | None = None
    accuracy: float | None = None
    gates: Mapping[str, Utility] = field(default_factory=dict)
    channels: Mapping[str, tuple[Channel | None, Channel]] = field(default_factory=dict)
    cost: Cost | None = None
    pool: str = "disjoint"
    share: float = 1.0


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


def judge_cell(run: Run, planned: Mapping[str, Any], attack: Mapping[str, Any], track: Track) -> Cell:
    """The cell of one entry of run.json's `cells`; `attack` is its row's entry, `track` its scheme's."""
    court = Court.of(track)
    innocent, claim, jobs = bool(planned["innocent"]), bool(attack["claim"]), planned["jobs"]
    if planned["reason"] is not None:
        found: dict[str, Any] = {"verdict": Verdict("not-applicable", planned["reason"])}
    else:
        try:
            found = _innocent(run, jobs, court) if innocent else _owners(run, jobs, court, claim)
        except (ValueError, KeyError, TypeError) as error:
            # a plug-in's observations that don't fit together cost their own cell
            found = {
                "verdict": Verdict("crashed", f"its observations can't be weighed: {type(error).__name__}: {error}")
            }
    return Cell(
        task=track.task,
        unit=track.unit,
        scheme=planned["scheme"],
        attack=planned["attack"],
        kind=attack["kind"],
        replicate=planned["replicate"],
        innocent=innocent,
        claim=claim,
        jobs=jobs,
        cost=cost_of(run, jobs.get("suspect" if innocent else "attacked")),
        pool=thief_of(run, planned)[0],
        share=thief_of(run, planned)[1],
        **found,
    )


def thief_of(run: Run, planned: Mapping[str, Any]) -> tuple[str, float]:
    """The thief's pool and share of a planned cell; by default those of the run's profile."""
    thief = run.profile["thief"]
    return planned.get("pool", thief["pool"]), planned.get("share", thief["share"])


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


def outcomes(run: Run, job: str | None) -> Outcomes | None:
    """How a model did on the evaluator's test set, item by item."""
    result = run.result(job)
    return None if result is None else result["utility"]


def _owners(run: Run, jobs: Mapping[str, str], court: Court, claim: bool) -> dict[str, Any]:
    """The owner's mark after an attack, or, for a claim, the thief's own key on the marked model."""
    before = fresh_evidence(run, jobs, court)
    found: dict[str, Any] = {"before": before}
    marked, attacked = outcomes(run, jobs.get("marked")), outcomes(run, jobs.get("attacked"))
    if marked is not None and attacked is not None:
        found |= {"utility": court.compare(marked, attacked), "accuracy": level(attacked)}
    needed = ("marked", "attacked", "judged", "nulls") if claim else ("marked", "fresh", "nulls", "attacked", "judged")
    alike = (run.result(jobs.get("attacked")) or {}).get("agreement")
    if alike is not None:
        found["agreement"] = Agreement(alike.get("labels"), alike["largest_gap"])
    if missing := _missing(run, jobs, needed):
        return found | {"verdict": missing, "committed": missing if claim else None}

    suspect, judged = _first(run, jobs["judged"]), run.result(jobs["judged"])
    admission = judged["admission"] if judged else {}
    pools = {OWN_POOL: jobs["nulls"]} | ({"attacked": jobs["attacked_null"]} if "attacked_null" in jobs else {})
    after = _weighed(run, jobs["judged"], pools, court.alpha, search_bits=search_bits(admission) if claim else 0)
    gates = court.gates(suspect)
    delivered = None if claim else _first(run, jobs["fresh"])
    found |= {"after": after, "gates": gates, "channels": _channels(delivered, suspect)}
    if claim:
        accepted = acceptance(after, gates)
        if accepted.word != "accepted" and after.state != "present" and search_bits(admission):
            uncharged = _weighed(run, jobs["judged"], pools, court.alpha)
            if uncharged.state == "present":
                accepted = Acceptance("refused", SEARCHED)
        return found | {
            "verdict": claim_verdict(admission, accepted, commitment_required=False),
            "committed": claim_verdict(admission, accepted, commitment_required=True),
        }
    assert before is not None
    scratch = outcomes(run, jobs.get("scratch")) if jobs.get("scratch") != jobs["attacked"] else None
    compared = court.compare(attacked, scratch) if attacked and scratch else None
    return found | {"verdict": cell_verdict(before, after, found["utility"], gates=gates, scratch=compared)}


def _innocent(run: Run, jobs: Mapping[str, str], court: Court) -> dict[str, Any]:
    """An unmarked model under the owner's key; it is never one of the nulls it is measured by."""
    accuracy = level(outcomes(run, jobs.get("suspect")))
    if missing := _missing(run, jobs, ("suspect", "judged", "nulls")):
        return {"verdict": missing, "accuracy": accuracy}
    suspect = _first(run, jobs["judged"])
    own = frozenset(run.ancestors(jobs["suspect"]))
    after = _weighed(run, jobs["judged"], {OWN_POOL: jobs["nulls"]}, court.alpha, left_out=own)
    gates = court.gates(suspect)
    return {"verdict": innocent_verdict(after, gates), "after": after, "gates": gates, "accuracy": accuracy}


def fresh_evidence(run: Run, jobs: Mapping[str, str], court: Court) -> Evidence | None:
    """Evidence in the model as delivered, under the owner's key; None where it was not judged."""
    nulls = jobs.get("fresh_nulls", jobs.get("nulls"))
    if nulls is None or run.result(jobs.get("fresh")) is None or run.result(nulls) is None:
        return None
    return _weighed(run, jobs["fresh"], {OWN_POOL: nulls}, court.alpha)


def _weighed(
    run: Run,
    judged: str,
    pools: Mapping[str, str],
    alpha: float,
    *,
    search_bits: int = 0,
    left_out: frozenset[str] = frozenset(),
) -> Evidence:
    """Evidence of a judged job's suspect against jobs that judged nulls, without the models `left_out`."""

    def read() -> Weighing:
        there = {pool: job for pool, job in pools.items() if run.result(job) is not None}
        nulls = {pool: [seen for model, seen in nulls_of(run, job) if model not in left_out]
                 for pool, job in there.items()}  # fmt: skip
        suspect = _first(run, judged)
        if suspect["unreadable"] is not None:  # it names no channel: what the nulls were scored on is meant
            channel = next((seen["evidence"] for seen in nulls[OWN_POOL] if seen["unreadable"] is None), "")
            suspect = {**suspect, "evidence": channel}
        useless = {pool: len(null_models(run, job)) - len(nulls_of(run, job)) for pool, job in there.items()}
        return Weighing.of(suspect, nulls, search_bits=search_bits, useless=useless)

    name = "weighing", judged, tuple(pools.items()), search_bits, left_out
    return run.once(name, read).at(alpha)


def observations(run: Run, job: str | None) -> list[Observation]:
    """What a judged job saw, one per suspect; empty where it did not end ok."""
    result = run.result(job)
    return [] if result is None else result["observations"]


def null_models(run: Run, judged: str) -> list[str]:
    """The job ids of the models behind a judged job's observations, in their order."""
    suspects: list[str] = run.records[judged]["job"]["suspects"]
    return suspects


def nulls_of(run: Run, judged: str) -> list[tuple[str, Observation]]:
    """The models behind a judged job that count as nulls, each with what was seen of it.

    A null must do its task: one that hardly beats doing nothing is left out, whatever the key says of it.
    """

    def read() -> list[tuple[str, Observation]]:
        both = zip(null_models(run, judged), observations(run, judged), strict=True)
        return [(model, seen) for model, seen in both if does_the_job(outcomes(run, model))]

    return run.once(("nulls", judged), read)


def _first(run: Run, job: str) -> Observation:
    return observations(run, job)[0]


def _missing(run: Run, jobs: Mapping[str, str], roles: tuple[str, ...]) -> Verdict | None:
    """The verdict of the first job that has no result; a job that failed comes before one that never ran."""
    faults = [fault for role in roles if (fault := run.fault(jobs.get(role))) is not None]
    failed = [fault for fault in faults if fault[0] != NOT_RUN]
    if failed:
        return missing_verdict(*failed[0])
    return Verdict(*faults[0]) if faults else None


def _channels(fresh: Observation | None, suspect: Observation) -> dict[str, tuple[Channel | None, Channel]]:
    if suspect["unreadable"] is not None:
        return {}
    others = [name for name in suspect["channels"] if name != suspect["evidence"]]
    return {name: (_channel(fresh, name), total) for name in others if (total := _channel(suspect, name))}


def _channel(seen: Observation | None, name: str) -> Channel | None:
    items = seen["channels"].get(name) if seen is not None and seen["unreadable"] is None else None
    if items is None:
        return None
    if "hits" in items:
        return Channel(items["hits"].count("1"), len(items["hits"]))
    return Channel(sum(items["values"]) / len(items["values"]), len(items["values"]))
