"""The opinion on one model under one key as text and JSON: `bench verify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leaderboard.judge.opinion import INADMISSIBLE, Opinion
from leaderboard.judge.verdicts import SEARCH_BITS
from leaderboard.pages import wording
from leaderboard.pages.cell_facts import evidence_facts


def as_json(found: Opinion, admission: Mapping[str, Any], alpha: float, budget: float) -> dict[str, Any]:
    """The opinion as JSON: `verdict` is present, absent, unclear, inadmissible, inconsistent or unreadable; p-values
    are log10.

    Under an inadmissible key there is no evidence: `evidence` is null, as are p-value and grade without commitment.
    `useless`: the suspect does not do its task: it gains less than 3 dB over doing nothing (`gain` in dB, null on
    classification tasks), or names the right class no more often than the most frequent one would be right.
    """
    return {
        "verdict": found.verdict,
        "reason": found.reason if found.unjudged or not found.admissible else found.evidence.reason,
        "alpha": alpha,
        "budget_points": budget,
        "evidence": found.evidence if found.admissible else None,
        "without_commitment": {
            "verdict": found.uncommitted.state if found.admissible else INADMISSIBLE,
            "log10_p": found.uncommitted.log10_p if found.admissible else None,
            "grade": found.uncommitted.grade if found.admissible else None,
            "claim": found.claim_uncommitted,
        },
        "gates": found.gates,
        "admission": admission,
        "claim": found.claim,
        "claim_reason": found.reason,
        "gain": found.gain,
        "useless": found.useless,
    }


def describe(found: Opinion, admission: Mapping[str, Any], alpha: float) -> list[tuple[str, str]]:
    """The opinion in words, as (name, text) pairs."""
    if found.admissible:
        lines = _weighed(found, alpha, bool(admission["hash_bound"]))
    else:
        lines = [
            (
                "verdict",
                f"{INADMISSIBLE}{_because(found.reason)}: whatever the model shows under this key is no evidence",
            ),
            ("key", f"not admissible: {found.reason}"),
            ("claim", f"{INADMISSIBLE}, with and without commitment"),
        ]
    if found.useless:
        lines.append(("useless", f"the model {wording.useless(found.gain)}"))
    return lines


def _weighed(found: Opinion, alpha: float, hash_bound: bool) -> list[tuple[str, str]]:
    charge = f" (charged 2^{SEARCH_BITS} tries)" if hash_bound else ""
    alone = f"{found.uncommitted.state} {wording.graded(found.uncommitted.log10_p, found.uncommitted.grade)}"
    why = found.reason if found.unjudged else found.evidence.reason
    return [
        ("verdict", f"{found.verdict}{_because(why)}, at alpha {wording.probability(alpha)}"),
        *evidence_facts(found.evidence),
        *((f"gate: {name}", wording.gate(gate)) for name, gate in found.gates.items()),
        ("key", "admissible"),
        ("claim", f"{found.claim}{_because(found.reason)}, if the key was committed before the model existed"),
        ("", f"{found.claim_uncommitted} without commitment{charge}: {alone}"),
    ]


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
