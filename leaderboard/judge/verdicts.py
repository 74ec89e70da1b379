"""One word for one cell, from evidence, utility and admission.

Three questions have three sets of words. A cell of a removal-like attack: has the owner's mark survived? A
claim on a marked model (ambiguity) or on an innocent one (false claim): does the court believe it? An
innocent model: is it accused? A job that did not finish has its own word in all three, and so has a suspect that a
court can't judge: `inconsistent`, since its answers are not those of one model, or `unreadable`, since nobody but its
maker can read its net. Neither was removed, and neither held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leaderboard.judge.evidence import TOO_FEW, Evidence
from leaderboard.stats.utility_test import Utility

SEARCH_BITS = 64  # keys a claimant is taken to have tried behind a hash that was not committed in time
SEARCHED = f"not enough for a search over 2^{SEARCH_BITS} secrets"
NO_BETTER_THAN_SCRATCH = "no-better-than-scratch"
KEY_IN_POOL = "key-in-pool"
INNOCENTS_AS_HIGH = "innocents-as-high"
HELD = ("survived", "utility-lost", "rejected")
BROKEN = ("removed", "forged")

Gates = Mapping[str, Utility]


@dataclass(frozen=True)
class Verdict:
    """One word, why (None where the word is enough), and flags printed beside it."""

    word: str
    reason: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tally:
    """How many verdicts of each word there are."""

    words: Mapping[str, int]

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Tally:
        return cls(Counter(verdict.word for verdict in verdicts))

    def count(self, *words: str) -> int:
        return sum(self.words.get(word, 0) for word in words)

    @property
    def held(self) -> int:
        """Marks that survived (utility-lost among them), claims that were rejected."""
        return self.count(*HELD)

    @property
    def broken(self) -> int:
        """Marks that were removed, claims that were forged."""
        return self.count(*BROKEN)

    @property
    def undecided(self) -> int:
        return self.count("undecided")

    @property
    def judged(self) -> int:
        """Everything with an outcome; embed-failed, unreadable, not-applicable, crashed and the like are left out."""
        return self.held + self.broken + self.undecided

    @property
    def left_out(self) -> int:
        return sum(self.words.values()) - self.judged

    @property
    def shares(self) -> tuple[float, float]:
        """Share held when undecided counts as broken, and when it counts as held; (0, 0) where nothing was judged."""
        m = self.judged
        return (self.held / m, (self.held + self.undecided) / m) if m else (0.0, 0.0)


@dataclass(frozen=True)
class Acceptance:
    """The court's answer to a claim, by evidence and gates alone, and why it does not accept."""

    word: Literal["accepted", "refused", "unclear"]
    reason: str | None = None


def missing_verdict(status: str, reason: str | None) -> Verdict:
    """The verdict where a job the cell needs did not end ok: it comes before every other rule.

    status: crashed, timeout, oom, killed, not-applicable or not-run; a killed worker counts as crashed.
    """
    return Verdict("crashed", reason or "the worker was killed") if status == "killed" else Verdict(status, reason)


def acceptance(evidence: Evidence, gates: Gates) -> Acceptance:
    """The conjunction: accepted = evidence present, all gates kept; refused = evidence absent or a gate lost.

    A gate is a test of its own (passports: accuracy with the claimed passport installed against delivered
    accuracy). It can only lower acceptance, so the size stays alpha; its p is never mixed into that of the
    evidence.
    """
    if evidence.state == "absent":
        return Acceptance("refused", evidence.reason or "evidence absent")
    lost = [name for name, gate in gates.items() if gate.state == "lost"]
    if lost:
        return Acceptance("refused", f"gate lost: {', '.join(lost)}")
    if evidence.state == "unclear":
        return Acceptance("unclear", evidence.reason)
    unclear = [name for name, gate in gates.items() if gate.state == "unclear"]
    if unclear:
        return Acceptance("unclear", f"gate unclear: {', '.join(unclear)}")
    return Acceptance("accepted")


def misread(seen: Mapping[str, Any]) -> Verdict | None:
    """inconsistent or unreadable, from what a court saw of a suspect; None for one that it can judge."""
    for word, field in (("inconsistent", "inconsistent"), ("unreadable", "opaque")):
        if reason := seen.get(field):
            return Verdict(word, reason)
    return None


def cell_verdict(
    before: Evidence,
    after: Evidence,
    utility: Utility,
    *,
    gates: Gates | None = None,
    scratch: Utility | None = None,
    unjudged: Verdict | None = None,
) -> Verdict:
    """survived, utility-lost, removed, undecided or embed-failed, for one (scheme, attack setting, seed).

    before, after: evidence in the marked and in the attacked model. utility: attacked against marked model.
    scratch: the scratch control against the attacked model (kept: the attack does no better than training
    anew, flagged beside removed). undecided has the reason evidence, utility, both or nulls (evidence unclear
    for want of nulls alone). unjudged: what `misread` says of the attacked model.

    Gates do not enter the word: it answers whether the owner's mark is still there, p being that of the bits
    alone, and an attack that leaves every bit has removed nothing. But an owner whose gate fails would lose
    his claim, so `survived` then carries the flag claim-refused or claim-unclear.
    """
    if before.state != "present":
        return Verdict("embed-failed", before.reason or f"evidence {before.state} before the attack")
    if unjudged is not None:
        return unjudged
    if after.state == "present":
        claim = acceptance(after, gates or {})
        return Verdict("survived", claim.reason, () if claim.word == "accepted" else (f"claim-{claim.word}",))
    if utility.state == "lost":
        return Verdict("utility-lost")
    if after.state == "absent" and utility.state == "kept":
        no_better = scratch is not None and scratch.state == "kept"
        return Verdict("removed", after.reason, (NO_BETTER_THAN_SCRATCH,) if no_better else ())
    if after.state == "absent":
        return Verdict("undecided", "utility")
    if utility.state == "unclear":
        return Verdict("undecided", "both")
    return Verdict("undecided", "nulls" if after.reason == TOO_FEW else "evidence")


def inadmissible(admission: Mapping[str, Any]) -> str | None:
    """Why a key is inadmissible; None where it is well formed and bound to its owner."""
    if admission["well_formed"] and admission["bound"]:
        return None
    fault = "bound to its owner" if admission["well_formed"] else "well formed"
    return admission["reason"] or f"the key is not {fault}"


def claim_verdict(
    admission: Mapping[str, Any], claim: Acceptance, *, commitment_required: bool, unjudged: Verdict | None = None
) -> Verdict:
    """rejected, forged or undecided, for a claim that is false (ambiguity, false claim).

    Admissibility comes first: the p-value of a key made after seeing the model means nothing by itself. A key
    is admissible when it is well formed, bound, and, where the court asks for it, committed before the
    suspect existed. The two courts are two calls, their answers stand side by side. claim: `acceptance` of
    evidence that is charged the search, where the key is behind a hash and was not committed in time.
    """
    if fault := inadmissible(admission):
        return Verdict("rejected", fault)
    if commitment_required and not admission["committed"]:
        return Verdict("rejected", "the key was not committed before the suspect existed")
    if unjudged is not None:
        return unjudged
    if claim.word == "refused":
        return Verdict("rejected", claim.reason)
    return Verdict("forged") if claim.word == "accepted" else Verdict("undecided", claim.reason)


def innocent_verdict(evidence: Evidence, gates: Gates | None = None, *, unjudged: Verdict | None = None) -> Verdict:
    """false-positive if the owner's claim on an innocent model would be accepted, otherwise not-marked.

    Evidence that is present and stopped by a gate is not-marked with the gate as the reason.
    """
    if unjudged is not None:
        return unjudged
    if evidence.state != "present":
        return Verdict("not-marked", evidence.reason)
    claim = acceptance(evidence, gates or {})
    return Verdict("false-positive") if claim.word == "accepted" else Verdict("not-marked", claim.reason)
