"""The opinion on one model under one key as text and JSON: `bench verify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from leaderboard.judge.evidence import OWN_POOL
from leaderboard.judge.opinion import INADMISSIBLE, Opinion
from leaderboard.judge.verdicts import SEARCH_BITS
from leaderboard.pages import wording
from leaderboard.stats.tails import rarity
from leaderboard.stats.utility_test import LEAST_GAIN


def as_json(found: Opinion, admission: Mapping[str, Any], alpha: float, budget: float) -> dict[str, Any]:
    """The opinion as JSON: `verdict` is present, absent, unclear or inadmissible; p-values are log10.

    Under an inadmissible key there is no evidence: `evidence` is null, as is the p-value without commitment. `useless`:
    the suspect gains less than 3 dB over doing nothing; `gain` in dB, null on classification tasks.
    """
    heard = found.admissible
    return {
        "verdict": found.verdict,
        "reason": found.evidence.reason if heard else found.reason,
        "alpha": alpha,
        "budget_points": budget,
        "evidence": asdict(found.evidence) if heard else None,
        "without_commitment": {
            "verdict": found.uncommitted.state if heard else INADMISSIBLE,
            "log10_p": found.uncommitted.log10_p if heard else None,
            "claim": found.claim_uncommitted,
        },
        "gates": {name: asdict(gate) for name, gate in found.gates.items()},
        "admission": dict(admission),
        "claim": found.claim,
        "claim_reason": found.reason,
        "gain": found.gain,
        "useless": found.useless,
    }


def describe(found: Opinion, admission: Mapping[str, Any], alpha: float) -> list[tuple[str, str]]:
    """The opinion in words, as (name, text) pairs."""
    lines = _heard(found, admission, alpha) if found.admissible else [
        ("verdict", f"{INADMISSIBLE}{_because(found.reason)}: whatever the model shows under this key is no evidence"),
        ("key", f"not admissible: {found.reason}"),
        ("claim", f"{INADMISSIBLE}, with and without commitment"),
    ]  # fmt: skip
    if found.gain is not None and found.useless:
        lines.append(("useless", f"the model gains {found.gain:.2f} dB over doing nothing, below {LEAST_GAIN:g} dB"))
    return lines


def _heard(found: Opinion, admission: Mapping[str, Any], alpha: float) -> list[tuple[str, str]]:
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
    for name, pool in seen.pools.items():
        if pool["J"]:
            lines.append(("nulls" if name == OWN_POOL else f"{name}s", wording.pool(pool)))
    lines += [(f"gate {name}", f"{wording.change_interval(gate)} {gate.unit}, {gate.state}")
              for name, gate in found.gates.items()]  # fmt: skip
    lines.append(("key", "admissible"))
    lines.append(("claim", f"{found.claim}{_because(found.reason)}, if the key was committed before the model existed"))
    charge = f" (charged 2^{SEARCH_BITS} tries)" if admission["hash_bound"] else ""
    alone = f"{found.uncommitted.state} {wording.p_value(found.uncommitted.log10_p)}"
    lines.append(("", f"{found.claim_uncommitted} without commitment{charge}: {alone}"))
    return lines


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
