"""One cell of the matrix: a verdict with everything that backs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leaderboard.judge.decide import COUNTED, Thresholds, decide, find, fresh
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.results import Cost, Observation, cost_of, missing, observations, outcomes
from leaderboard.judge.run import Run
from leaderboard.judge.tracks import Track
from leaderboard.judge.verdicts import Verdict
from leaderboard.stats.utility_test import Utility, level, similarity


@dataclass(frozen=True)
class ChannelTotal:
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
    where `unit`, in which changes of utility are told, is dB, and `ssim` its mean SSIM
    there. pool, share: the thief's images.
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
    ssim: float | None = None
    gates: Mapping[str, Utility] = field(default_factory=dict)
    channels: Mapping[str, tuple[ChannelTotal | None, ChannelTotal]] = field(default_factory=dict)
    cost: Cost | None = None
    pool: str = "disjoint"
    share: float = 1.0


def judge_cell(run: Run, planned: Mapping[str, Any], attack: Mapping[str, Any], track: Track) -> Cell:
    """The cell of one entry of run.json's `cells`; `attack` is its row's entry, `track` its scheme's."""
    innocent, claim, jobs = bool(planned["innocent"]), bool(attack["claim"]), planned["jobs"]
    if planned["reason"] is not None:
        found: dict[str, Any] = {"verdict": Verdict("not-applicable", planned["reason"])}
    else:
        try:
            found = _judged(run, jobs, Thresholds.of(track), innocent=innocent, claim=claim)
        except (ValueError, KeyError, TypeError) as error:
            # a plug-in's observations that don't fit together cost their own cell
            found = {
                "verdict": Verdict("crashed", f"its observations can't be weighed: {type(error).__name__}: {error}")
            }
    pool, share = thief_of(run, planned)
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
        pool=pool,
        share=share,
        **found,
    )


def verdict_at(run: Run, cell: Cell, court: Thresholds) -> Verdict:
    """The verdict of a judged cell at other thresholds; that of a cell without evidence is the same at all."""
    if cell.after is None:
        return cell.verdict
    return decide(find(run, cell.jobs, innocent=cell.innocent, claim=cell.claim), court).verdict


def thief_of(run: Run, planned: Mapping[str, Any]) -> tuple[str, float]:
    """The thief's pool and share of a planned cell; by default those of the run's profile."""
    thief = run.profile["thief"]
    return planned.get("pool", thief["pool"]), planned.get("share", thief["share"])


def _judged(run: Run, jobs: Mapping[str, str], court: Thresholds, *, innocent: bool, claim: bool) -> dict[str, Any]:
    """The fields of a cell that rest on its jobs, as far as they got."""
    nulls = [role for role in COUNTED.values() if role == "nulls" or role in jobs]
    needed = ["marked", "attacked", "judged", *nulls]
    if innocent:
        seen = outcomes(run, jobs.get("suspect"))
        found: dict[str, Any] = {"accuracy": level(seen), "ssim": similarity(seen)}
        needed = ["suspect", "judged", *nulls]
    else:
        found = _attacked(run, jobs, court)
        if not claim:
            needed.insert(1, "fresh")
    if gap := missing(run, jobs, needed):
        return found | {"verdict": gap, "committed": gap if claim else None}
    decision = decide(find(run, jobs, innocent=innocent, claim=claim), court)
    found |= {"verdict": decision.verdict, "committed": decision.committed}
    found |= {"after": decision.after, "gates": decision.gates}
    if not innocent:
        delivered = None if claim else observations(run, jobs["fresh"])[0]
        found["channels"] = _channels(delivered, observations(run, jobs["judged"])[0])
    return found


def _attacked(run: Run, jobs: Mapping[str, str], court: Thresholds) -> dict[str, Any]:
    """What is known of an attacked model before it is judged."""
    innocent = jobs.get("innocent")  # the model of a false claim, which says nothing of the owner's mark
    before = None if innocent else fresh(run, jobs)
    found: dict[str, Any] = {"before": before.at(court.alpha) if before else None}
    delivered, attacked = outcomes(run, innocent or jobs.get("marked")), outcomes(run, jobs.get("attacked"))
    if delivered is not None and attacked is not None:
        found |= {"utility": court.compare(delivered, attacked), "accuracy": level(attacked)}
        found["ssim"] = similarity(attacked)
    alike = (run.result(jobs.get("attacked")) or {}).get("agreement")
    if alike is not None:
        found["agreement"] = Agreement(alike.get("labels"), alike["largest_gap"])
    return found


def _channels(fresh: Observation | None, suspect: Observation) -> dict[str, tuple[ChannelTotal | None, ChannelTotal]]:
    if suspect["unreadable"] is not None:
        return {}
    others = [name for name in suspect["channels"] if name != suspect["evidence"]]
    return {name: (_channel(fresh, name), total) for name in others if (total := _channel(suspect, name))}


def _channel(seen: Observation | None, name: str) -> ChannelTotal | None:
    items = seen["channels"].get(name) if seen is not None and seen["unreadable"] is None else None
    if items is None:
        return None
    if "hits" in items:
        return ChannelTotal(items["hits"].count("1"), len(items["hits"]))
    return ChannelTotal(sum(items["values"]) / len(items["values"]), len(items["values"]))
