"""What a court says to a claim on one model from outside any run, by the same case file as a cell of the matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leaderboard.judge.case_file import read_case
from leaderboard.judge.decide import Thresholds, hear
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.run import Run
from leaderboard.judge.verdicts import inadmissible
from leaderboard.stats.utility_test import LEAST_GAIN, Utility, gain

INADMISSIBLE = "inadmissible"


@dataclass(frozen=True)
class Opinion:
    """What a court says to a claim on one model, twice: if its key was committed before the model existed, and if not.

    evidence, uncommitted: the latter is charged the keys that a claimant may have tried behind a hash. claim,
    claim_uncommitted: accepted, refused or unclear, or inadmissible: then p-values mean nothing and are not shown.
    reason: why `claim` is not accepted. gain: of an image-to-image model over doing nothing, in dB.
    """

    evidence: Evidence
    uncommitted: Evidence
    gates: Mapping[str, Utility]
    claim: str
    claim_uncommitted: str
    reason: str | None
    admissible: bool
    gain: float | None = None

    @property
    def verdict(self) -> str:
        """present, absent or unclear; inadmissible where the key is."""
        return self.evidence.state if self.admissible else INADMISSIBLE

    @property
    def useless(self) -> bool:
        """Whether the model hardly beats doing nothing."""
        return self.gain is not None and self.gain < LEAST_GAIN


def opinion(run: Run, jobs: Mapping[str, str], court: Thresholds) -> Opinion:
    """What a court says to a claim on a model from outside any run; jobs: ids by role, as of an innocent's cell."""
    case = read_case(run, jobs, innocent=False, claim=True)
    if case.missing or case.seen is None or case.suspect is None or case.admission is None:
        raise ValueError(f"an opinion needs an examined model and its nulls: {case.missing}")
    gates, fault = court.gates(case.seen), inadmissible(case.admission)
    (evidence, claim), (uncommitted, alone) = (hear(case, court, gates, committed=early) for early in (True, False))
    words = (INADMISSIBLE, INADMISSIBLE) if fault else (claim.word, alone.word)
    return Opinion(evidence, uncommitted, gates, *words, fault or claim.reason, not fault, gain(case.suspect))
