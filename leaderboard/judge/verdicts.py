"""One word for one cell, from evidence, utility and admission.

Three questions have three sets of words. A cell of a removal-like attack: has the owner's mark survived? A
claim on a marked model (ambiguity) or on an innocent one (false claim): does the court believe it? An
innocent model: is it accused? A job that did not finish has its own word in all three, and so has a suspect that a
court can't judge: `inconsistent`, since its answers are not those of one model, or `unreadable`, since nobody but its
maker can read its net. Neither was removed, and neither held. `no-court`: a claim before a court that no key of the
scheme could convince, which says nothing about the claim.
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
NO_COURT = "no-court"
EMPTY = "no key of this scheme could win before this court, not even its true owner's"
NO_BETTER_THAN_SCRATCH = "no-better-than-scratch"
KEY_IN_POOL = "key-in-pool"
INNOCENTS_AS_HIGH = "innocents-as-high"
USELESS = "useless"
WITHSTOOD = ("survived", "utility-lost", "rejected")
BROKEN = ("removed", "unprovable", "forged")

Gates = Mapping[str, Utility]


@dataclass(frozen=True)
class Verdict:
    """One word, why (None where the word is enough), and flags printed beside it."""

    word: str
    reason: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tally:
    """How many verdicts of each word there are, and how many marks survived in a model that lost its use."""

    words: Mapping[str, int]
    survived_useless: int = 0

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Tally:
        listed = list(verdicts)
        return cls(Counter(one.word for one in listed), sum(USELESS in one.flags for one in listed))

    def count(self, *words: str) -> int:
        return sum(self.words.get(word, 0) for word in words)

    @property
    def held(self) -> int:
        """Marks that can still be proved in a model that kept its use (or may have), claims that were rejected."""
        return self.withstood - self.useless

    @property
    def useless(self) -> int:
        """Thieves who lost the model's utility, with the mark or without it."""
        return self.count("utility-lost") + self.survived_useless

    @property
    def withstood(self) -> int:
        """Held and useless together: the thief did not win. It is what schemes are scored by."""
        return self.count(*WITHSTOOD)

    @property
    def broken(self) -> int:
        """Marks that were removed or made unprovable, claims that were forged."""
        return self.count(*BROKEN)

    @property
    def undecided(self) -> int:
        return self.count("undecided")

    @property
    def judged(self) -> int:
        """Everything with an outcome; embed-failed, no-court, not-applicable, crashed and the like are left out."""
        return self.withstood + self.broken + self.undecided

    @property
    def left_out(self) -> int:
        return sum(self.words.values()) - self.judged

    @property
    def shares(self) -> tuple[float, float]:
        """Share withstood when undecided counts as broken, and when as withstood; (0, 0) where nothing was judged."""
        m = self.judged
        return (self.withstood / m, (self.withstood + self.undecided) / m) if m else (0.0, 0.0)


@dataclass(frozen=True)
class Acceptance:
    """The court's answer to a claim, by evidence and gates alone, and why it does not accept.

    no-court: no key could be accepted there, so the answer says nothing about this one.
    """

    word: Literal["accepted", "refused", "unclear", "no-court"]
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
    fresh_gates: Gates | None = None,
    gates: Gates | None = None,
    scratch: Utility | None = None,
    unjudged: Verdict | None = None,
) -> Verdict:
    """survived, utility-lost, removed, unprovable, undecided or embed-failed, for one (scheme, attack setting, seed).

    before, after: evidence in the marked and in the attacked model, with their gates. utility: attacked against marked
    model. scratch: the scratch control against the attacked model (kept: the attack does no better than training anew,
    flagged beside removed and unprovable). undecided has the reason evidence, utility, both, nulls (evidence unclear
    for want of nulls alone) or the gate that is unclear. unjudged: what `misread` says of the attacked model.

    The owner has to win his claim: evidence does not help him where a gate is lost. A thief who costs him the gate has
    made the mark unprovable, though every bit may be there. One that could not be proved as delivered was not embedded.
    """
    if before.state != "present":
        return Verdict("embed-failed", before.reason or f"evidence {before.state} before the attack")
    if (delivered := acceptance(before, fresh_gates or {})).word != "accepted":
        return Verdict("embed-failed", f"{delivered.reason}, before the attack")
    if unjudged is not None:
        return unjudged
    claim = acceptance(after, gates or {})
    if claim.word == "accepted":
        return Verdict("survived", flags=(USELESS,) if utility.state == "lost" else ())
    if utility.state == "lost":
        return Verdict("utility-lost")
    if claim.word == "refused" and utility.state == "kept":
        no_better = scratch is not None and scratch.state == "kept"
        flags = (NO_BETTER_THAN_SCRATCH,) if no_better else ()
        removed = after.state == "absent"
        return Verdict("removed", after.reason, flags) if removed else Verdict("unprovable", claim.reason, flags)
    if claim.word == "refused":
        return Verdict("undecided", "utility")
    if after.state == "present":
        return Verdict("undecided", claim.reason)
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
    """rejected, forged, undecided or no-court, for a claim that is false (ambiguity, false claim).

    A court that no key could convince says nothing (no-court). Then comes admissibility: the p-value of a key made
    after seeing the model means nothing by itself. A key is admissible when it is well formed, bound, and, where the
    court asks for it, committed before the suspect existed. The two courts are two calls, their answers stand side by
    side. claim: that court's answer to the evidence, which is charged the search where the key is behind a hash and
    need not be committed.
    """
    if claim.word == NO_COURT:
        return Verdict(NO_COURT, claim.reason)
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
