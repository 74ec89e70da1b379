"""The verdict on one model under one key, outside any run: `bench verify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from leaderboard.judge.evidence import OWN_POOL, Evidence, Weighing
from leaderboard.judge.verdicts import SEARCH_BITS, Acceptance, acceptance, search_bits
from leaderboard.pages import wording
from leaderboard.stats.tails import rarity
from leaderboard.stats.utility_test import LEAST_GAIN, ItemOutcomes, Utility, compare, does_the_job, gain

INADMISSIBLE = "inadmissible"


@dataclass(frozen=True)
class Opinion:
    """What a court would say, twice: if the key was committed before the suspect existed, and if it was not.

    An uncommitted key behind a hash is charged the keys its holder may have tried (`search_bits`). claim: accepted,
    refused, unclear, or inadmissible, with the reason. admissible: whether the key is well formed and bound; where it
    is not, its p-values mean nothing and are not told. gain: of an image-to-image suspect over doing nothing, in dB.
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
        """Whether the suspect hardly beats doing nothing."""
        return self.gain is not None and self.gain < LEAST_GAIN


def opinion(
    observation: Mapping[str, Any],
    nulls: Mapping[str, Sequence[Mapping[str, Any]]],
    admission: Mapping[str, Any],
    alpha: float,
    budget: float,
    outcomes: ItemOutcomes,
    null_outcomes: Mapping[str, Sequence[ItemOutcomes]],
) -> Opinion:
    """Weigh a suspect at `alpha`, its gates at `budget` (points). metrics.md, sections 1 and 3.

    nulls: by pool. outcomes: of the suspect and of each null on the test set. A null that does not do its task is no
    null.
    """
    pools = {
        pool: [null for null, seen in zip(members, null_outcomes[pool], strict=True) if does_the_job(seen)]
        for pool, members in nulls.items()
    }
    useless = {pool: len(nulls[pool]) - len(at_work) for pool, at_work in pools.items()}
    if observation["unreadable"] is not None:  # it names no channel: what the nulls were scored on is meant
        channel = next((null["evidence"] for null in pools[OWN_POOL] if null["unreadable"] is None), "")
        observation = {**observation, "evidence": channel}
    gates = {
        name: compare({"correct": gate["before"]}, {"correct": gate["after"]}, budget, "points")
        for name, gate in observation["gates"].items()
    }
    committed = Weighing.of(observation, pools, useless=useless).at(alpha)
    charge = search_bits({**admission, "committed": False})
    uncommitted = Weighing.of(observation, pools, search_bits=charge, useless=useless).at(alpha)
    word, reason = _claim(admission, acceptance(committed, gates))
    alone = _claim(admission, acceptance(uncommitted, gates))[0]
    return Opinion(committed, uncommitted, gates, word, alone, reason, _admissible(admission), gain(outcomes))


def _admissible(admission: Mapping[str, Any]) -> bool:
    return bool(admission["well_formed"] and admission["bound"])


def _claim(admission: Mapping[str, Any], accepted: Acceptance) -> tuple[str, str | None]:
    if not _admissible(admission):
        return INADMISSIBLE, admission["reason"] or "the key is not admissible"
    return accepted.word, accepted.reason


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
