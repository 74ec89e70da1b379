"""The verdict on one model under one key, outside any run: `bench verify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from leaderboard import wording
from leaderboard.evidence import OWN_POOL, Evidence, weigh
from leaderboard.statistics import rarity
from leaderboard.utility import Utility, compare
from leaderboard.verdicts import SEARCH_BITS, Acceptance, acceptance, search_bits


@dataclass(frozen=True)
class Opinion:
    """What a court would say, twice: if the key was committed before the suspect existed, and if it was not.

    An uncommitted key behind a hash is charged the keys its holder may have tried (`search_bits`). claim: accepted,
    refused, unclear, or inadmissible, with the reason.
    """

    evidence: Evidence
    uncommitted: Evidence
    gates: Mapping[str, Utility]
    claim: str
    claim_uncommitted: str
    reason: str | None


def opinion(
    observation: Mapping[str, Any],
    nulls: Sequence[Mapping[str, Any]],
    admission: Mapping[str, Any],
    alpha: float,
    budget: float,
) -> Opinion:
    """Weigh a suspect at `alpha`, its gates at `budget` (points). metrics.md, sections 1 and 3."""
    if observation["unreadable"] is not None:  # it names no channel: what the nulls were scored on is meant
        channel = next((null["evidence"] for null in nulls if null["unreadable"] is None), "")
        observation = {**observation, "evidence": channel}
    pools = {OWN_POOL: nulls}
    gates = {
        name: compare({"correct": gate["before"]}, {"correct": gate["after"]}, budget, "points")
        for name, gate in observation["gates"].items()
    }
    committed = weigh(observation, pools, alpha)
    charge = search_bits({**admission, "committed": False})
    uncommitted = weigh(observation, pools, alpha, search_bits=charge)
    word, reason = _claim(admission, acceptance(committed, gates))
    return Opinion(committed, uncommitted, gates, word, _claim(admission, acceptance(uncommitted, gates))[0], reason)


def _claim(admission: Mapping[str, Any], accepted: Acceptance) -> tuple[str, str | None]:
    if not (admission["well_formed"] and admission["bound"]):
        return "inadmissible", admission["reason"]
    return accepted.word, accepted.reason


def as_json(found: Opinion, admission: Mapping[str, Any], alpha: float, budget: float) -> dict[str, Any]:
    """The opinion as JSON: `verdict` is present, absent or unclear; p-values are log10."""
    return {
        "verdict": found.evidence.state,
        "reason": found.evidence.reason,
        "alpha": alpha,
        "budget_points": budget,
        "evidence": asdict(found.evidence),
        "without_commitment": {
            "verdict": found.uncommitted.state,
            "log10_p": found.uncommitted.log10_p,
            "claim": found.claim_uncommitted,
        },
        "gates": {name: asdict(gate) for name, gate in found.gates.items()},
        "admission": dict(admission),
        "claim": found.claim,
        "claim_reason": found.reason,
    }


def describe(found: Opinion, admission: Mapping[str, Any], alpha: float) -> list[tuple[str, str]]:
    """The opinion in words, as (name, text) pairs."""
    seen = found.evidence
    low, high = seen.interval
    theta = "no total is enough" if seen.theta is None else f"present from {seen.theta:.4g}"
    lines = [
        ("verdict", f"{seen.state}{_because(seen.reason)}, at alpha {wording.probability(alpha)}"),
        ("evidence", f"{wording.evidence(seen)}, 95 % interval of the rate {low:.3f}-{high:.3f}, {theta}"),
    ]
    for name, log10_p in (("p_key", seen.log10_p_key), ("p_null", seen.log10_p_null)):
        lines.append((name, "none" if log10_p is None else wording.p_value(log10_p)))
        if name == "p_key" and log10_p is not None:
            lines.append(("rarity", f"{rarity(log10_p):.0f} bits"))
    pool = seen.pools[OWN_POOL]
    if pool["J"]:
        lines.append(("nulls", wording.pool(pool)))
    lines += [(f"gate {name}", f"{wording.change_interval(gate)} {gate.unit}, {gate.state}")
              for name, gate in found.gates.items()]  # fmt: skip
    right = admission["well_formed"] and admission["bound"]
    lines.append(("key", "admissible" if right else f"not admissible: {admission['reason']}"))
    lines.append(("claim", f"{found.claim}{_because(found.reason)}, if the key was committed before the model existed"))
    charge = f" (charged 2^{SEARCH_BITS} tries)" if admission["hash_bound"] else ""
    alone = f"{found.uncommitted.state} {wording.p_value(found.uncommitted.log10_p)}"
    lines.append(("", f"{found.claim_uncommitted} without commitment{charge}: {alone}"))
    return lines


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
