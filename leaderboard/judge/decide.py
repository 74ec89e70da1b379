"""From a case file to a verdict, at any alpha and budget; and a court's answer to a claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from leaderboard.judge import verdicts
from leaderboard.judge.case_file import CaseFile
from leaderboard.judge.evidence import Evidence, Weighing
from leaderboard.judge.results import Observation
from leaderboard.judge.tracks import Track
from leaderboard.judge.verdicts import (
    INNOCENTS_AS_HIGH,
    KEY_IN_POOL,
    SEARCH_BITS,
    SEARCHED,
    Acceptance,
    Verdict,
    acceptance,
)
from leaderboard.stats.utility_test import ItemOutcomes, Utility, compare


@dataclass(frozen=True)
class Thresholds:
    """What a verdict is read at: alpha, a probability, and the utility budget, in `unit`.

    strict: whether p_null counts beside an exact p_key. brief: evidence holds what verdicts rest on and no more.
    """

    alpha: float
    budget: float
    unit: str = "points"
    strict: bool = False
    brief: bool = False

    @classmethod
    def of(cls, track: Track) -> Thresholds:
        return cls(track.alpha, track.budget, track.unit, track.strict)

    def weigh(self, weighing: Weighing) -> Evidence:
        """The evidence read at alpha."""
        return weighing.at(self.alpha, strict=self.strict, brief=self.brief)

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
class Decision:
    """The verdicts without and with commitment (the latter of claims only), and what they rest on.

    utility: of the suspect against the delivered model. against_twin: against an unmarked net that was trained as long,
    where there is one: printed, and no verdict rests on it.
    """

    verdict: Verdict
    committed: Verdict | None = None
    before: Evidence | None = None
    after: Evidence | None = None
    utility: Utility | None = None
    against_twin: Utility | None = None
    gates: Mapping[str, Utility] = field(default_factory=dict)


def decide(case: CaseFile, court: Thresholds) -> Decision:
    """The verdict of a case file at one court's thresholds."""
    before = court.weigh(case.before) if case.before else None
    utility = court.compare(case.delivered, case.suspect) if case.delivered and case.suspect else None
    if case.missing:
        return Decision(case.missing, case.missing if case.claim else None, before, None, utility)
    against_twin = court.compare(case.twin, case.suspect) if case.twin and case.suspect else None
    assert case.seen is not None
    assert case.after is not None
    gates, committed, unjudged = court.gates(case.seen), None, verdicts.misread(case.seen)
    if case.admission is not None:
        after, free = answer(case, court, gates, committed=case.admission["committed"])
        _, strict = answer(case, court, gates, committed=True)  # it hears no others
        verdict, committed = (
            verdicts.claim_verdict(case.admission, found, commitment_required=required, unjudged=unjudged)
            for required, found in ((False, free), (True, strict))
        )
    elif case.innocent:
        after = court.weigh(case.after)
        verdict = verdicts.innocent_verdict(after, gates, unjudged=unjudged)
    else:
        assert before is not None
        assert utility is not None
        after = court.weigh(case.after)
        delivered = court.gates(case.fresh) if case.fresh else {}
        verdict = verdicts.cell_verdict(
            before, after, utility,
            fresh_gates=delivered, gates=gates, scratch=_training_anew(case, court), unjudged=unjudged,
        )  # fmt: skip
        if case.overlap and case.overlap["held"]:
            verdict = replace(verdict, flags=(*verdict.flags, KEY_IN_POOL))
    if after.warned:
        verdict = replace(verdict, flags=(*verdict.flags, INNOCENTS_AS_HIGH))
    return Decision(verdict, committed, before, after, utility, against_twin, gates)


def _training_anew(case: CaseFile, court: Thresholds) -> Utility | None:
    """The scratch control against the suspect; against the twin where it is as good as that, so nothing was stolen."""
    if case.scratch is None:
        return None
    honest, stolen = (court.compare(one, case.scratch) if one else None for one in (case.twin, case.suspect))
    return honest if honest and honest.state == "kept" else stolen


def answer(
    case: CaseFile, court: Thresholds, gates: Mapping[str, Utility], *, committed: bool
) -> tuple[Evidence, Acceptance]:
    """The evidence for a claim and the court's answer to it. committed: the key was, before the suspect existed.

    Whether any key could win is asked under the charge that all of them bear; a ground one bears its own on top.
    """
    assert case.after is not None
    searched = None if committed else case.searched
    weighed, search = (case.after, 0) if searched is None else (searched, SEARCH_BITS)
    if not weighed.winnable(court.alpha, search_bits=search, strict=court.strict):
        return court.weigh(weighed), Acceptance("no-court", verdicts.EMPTY)
    free = court.weigh(case.after)
    if searched is None:
        return free, acceptance(free, gates)
    charged = court.weigh(searched)
    if free.state == "present" and charged.state != "present":
        return charged, Acceptance("refused", SEARCHED)
    return charged, acceptance(charged, gates)
