"""One cell of the matrix: a verdict with everything that backs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.store.run_description import DescribedThief
from leaderboard.judge.case_file import CaseFile, read_case
from leaderboard.judge.decide import Thresholds, decide
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.results import Cost, Observation, cost_of
from leaderboard.judge.run import Run
from leaderboard.judge.tracks import Track
from leaderboard.judge.verdicts import Verdict
from leaderboard.stats.scores import ChannelTotal, total_of
from leaderboard.stats.utility_test import Utility, level, similarity


@dataclass(frozen=True)
class Agreement:
    """How alike suspect and delivered model answer the test set: share of equal labels, largest gap of scores.

    labels: None where the answers are images.
    """

    labels: float | None
    largest_gap: float


@dataclass(frozen=True)
class Overlap:
    """How many `of` the images of the owner's key the thief `held`, to the last pixel."""

    held: int
    of: int


@dataclass(frozen=True)
class Cell:
    """A verdict and what backs it; None or empty where the jobs did not get that far.

    committed: the verdict of a court that asks for commitment (claims only). before, after: evidence in the
    model as delivered and in the suspect. utility: suspect against delivered model; against_twin: against an unmarked
    net that was trained as long as the delivered one. gates: the suspect's.
    channels: those beside the evidence and its views, printed and never counted, as (delivered, suspect). accuracy: of
    the suspect, in [0, 1]; its mean PSNR where `unit`, that of changes of utility, is dB, and `ssim` its mean SSIM
    there. thief: what images he has; overlap: those of the key among them. channel: the one that decided in place of
    the scheme's own evidence, since the attack names it and the scheme observes it; "" for that evidence.
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
    thief: DescribedThief
    committed: Verdict | None = None
    before: Evidence | None = None
    after: Evidence | None = None
    utility: Utility | None = None
    against_twin: Utility | None = None
    agreement: Agreement | None = None
    accuracy: float | None = None
    ssim: float | None = None
    gates: Mapping[str, Utility] = field(default_factory=dict)
    channels: Mapping[str, tuple[ChannelTotal | None, ChannelTotal]] = field(default_factory=dict)
    cost: Cost | None = None
    overlap: Overlap | None = None
    channel: str = ""


def judge_cell(run: Run, planned: Mapping[str, Any], attack: Mapping[str, Any], track: Track) -> Cell:
    """The cell of one entry of run.json's `cells`; `attack` is its row's entry, `track` its scheme's."""
    innocent, claim, jobs = planned.get("innocent", False), bool(attack["claim"]), planned.get("jobs", {})
    channel = "" if claim else attack.get("evidence", "")
    if (reason := planned.get("reason")) is not None:
        found: dict[str, Any] = {"verdict": Verdict("not-applicable", reason)}
    else:
        try:
            case = read_case(run, jobs, innocent=innocent, claim=claim, channel=channel)
            found = _judged(case, Thresholds.of(track), channel)
        except (ValueError, KeyError, TypeError) as error:
            # a plug-in's observations that don't fit together cost their own cell
            why = f"its observations can't be weighed: {type(error).__name__}: {error}"
            found = {"verdict": Verdict("crashed", why)}
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
        thief=thief_of(run, planned, track.task),
        **found,
    )


def verdict_at(run: Run, cell: Cell, court: Thresholds) -> Verdict:
    """The verdict of a judged cell at other thresholds; that of a cell without evidence is the same at all."""
    if cell.after is None:
        return cell.verdict
    case = read_case(run, cell.jobs, innocent=cell.innocent, claim=cell.claim, channel=cell.channel)
    return decide(case, court).verdict


def thief_of(run: Run, planned: Mapping[str, Any], task: str) -> DescribedThief:
    """The thief of a planned cell on this task; by default that of the matrix."""
    return matrix_thief(run.profile, task).but(planned)


def matrix_thief(profile: Mapping[str, Any], task: str) -> DescribedThief:
    """The matrix's thief on a task, from the profile of a `run.json`."""
    image = profile.get("image") or {}
    own = image.get("thief") if image.get("task") == task else None
    return DescribedThief(**(own or profile["thief"]))


def in_images(thief: DescribedThief, track: Track) -> DescribedThief | None:
    """A thief in numbers of images, also of an older run; None where the size of his pool is not known."""
    if thief.share is None:
        return thief
    size = track.owner if thief.pool == "owner" else track.thief
    return DescribedThief(thief.pool, labelled=round(thief.share * size), unlabelled=0) if size else None


def _judged(case: CaseFile, court: Thresholds, channel: str) -> dict[str, Any]:
    """The fields of a cell that rest on its case file. channel: the one that the attack names."""
    alike, read = case.agreement, [seen["evidence"] for seen in (case.fresh, case.seen) if seen is not None]
    return {
        **vars(decide(case, court)),
        "accuracy": level(case.suspect),
        "ssim": similarity(case.suspect),
        "channel": channel if channel in read else "",
        "agreement": Agreement(alike.get("labels"), alike["largest_gap"]) if alike else None,
        "overlap": Overlap(case.overlap["held"], case.overlap["of"]) if case.overlap else None,
        "channels": {} if case.innocent or case.seen is None else _channels(case.fresh, case.seen),
    }


def _channels(fresh: Observation | None, suspect: Observation) -> dict[str, tuple[ChannelTotal | None, ChannelTotal]]:
    if suspect["unreadable"] is not None:
        return {}
    views = (suspect["evidence"], *suspect.get("views", ()))
    others = [name for name in suspect["channels"] if name not in views]
    delivered = fresh["channels"] if fresh is not None and fresh["unreadable"] is None else {}
    return {
        name: (total_of(delivered[name]) if name in delivered else None, total_of(suspect["channels"][name]))
        for name in others
    }
