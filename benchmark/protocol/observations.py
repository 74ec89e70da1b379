"""What a court records of one suspect: raw items by channel, gates, the null distribution, and admission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class NullDistribution:
    """How a key's total is distributed under a fresh key, where that is known."""

    kind: Literal["binomial", "poisson-binomial", "redrawn"]
    parameters: Mapping[str, int | float | list[float]]

    def record(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.parameters}


def binomial(p: float) -> NullDistribution:
    """Under a fresh key each of the n items is a hit with probability p, independently."""
    return NullDistribution("binomial", {"p": p})


def poisson_binomial(p: Sequence[float]) -> NullDistribution:
    """Under a fresh key item i is a hit with probability p[i], independently."""
    return NullDistribution("poisson-binomial", {"p": list(p)})


def redrawn(totals: Sequence[float], more: int = 0, reached: int = 0, most: int = 0) -> NullDistribution:
    """The totals that fresh keys score on the same suspect: at least 8 of them, better 19 or more.

    more: keys that were drawn after them, of which `reached` scored the suspect's own total or more; what else they
    scored need not be known. 1/alpha - 1 keys give a p-value by rank alone. Drawing may stop at the first key after
    `totals` by which so many as were set beforehand have reached it (Besag & Clifford, Biometrika 78 (1991) 301); most:
    how many are drawn where none does.
    """
    further = {"more": more, "reached": reached} if more else {}
    return NullDistribution("redrawn", {"totals": list(totals), **further, **({"most": most} if most else {})})


@dataclass(frozen=True)
class Channel:
    """One raw number per key item, (N,): booleans, True for a hit, or real scores; and their null distribution."""

    items: Tensor
    law: NullDistribution | None = None

    def record(self) -> dict[str, Any]:
        hits = self.items.dtype == torch.bool
        items = {"hits": bits(self.items)} if hits else {"values": self.items.double().tolist()}
        return items | ({"law": self.law.record()} if self.law else {})


@dataclass(frozen=True)
class Gate:
    """Whether a model is right on each of the same N images, boolean (N,), before and after the key is installed."""

    before: Tensor
    after: Tensor

    def record(self) -> dict[str, str]:
        return {"before": bits(self.before), "after": bits(self.after)}


@dataclass(frozen=True)
class Observations:
    """What the judge measured of one suspect under one key. `evidence` names the channel that the verdict rests on.

    views: channels that put the same question to another view of the suspect, such as its weights after alignment. The
    evidence and each of them is a try: of k, the least p-value counts k-fold.
    """

    evidence: str
    channels: dict[str, Channel]
    gates: dict[str, Gate] = field(default_factory=dict)
    unreadable: str | None = None  # why the court could not read the suspect: no evidence then
    views: tuple[str, ...] = ()

    @property
    def tries(self) -> Observations:
        """The channels alone that p-values rest on."""
        return replace(self, channels={name: self.channels[name] for name in (self.evidence, *self.views)}, gates={})

    def record(self) -> dict[str, Any]:
        return {
            "evidence": self.evidence,
            "channels": {name: channel.record() for name, channel in self.channels.items()},
            "gates": {name: gate.record() for name, gate in self.gates.items()},
            "unreadable": self.unreadable,
        } | ({"views": list(self.views)} if self.views else {})


@dataclass(frozen=True)
class Admission:
    """Whether a key may count as evidence, and the `reason` where not.

    well_formed: every field has the declared form. bound: labels or bits are those that follow from its secret.
    hash_bound: they are recomputed from a hash of a free secret, so that a forger may search over secrets.
    grindable: the channel of what the key's own extractor reads in clean images, where there is such an extractor. A
    claimant may search for a secret that fits it before he commits, so the court charges for that fit in every case.
    """

    well_formed: bool
    bound: bool
    hash_bound: bool
    reason: str | None = None
    grindable: str | None = None


def bits(flags: Tensor) -> str:
    """Booleans (N,) as one character each."""
    return "".join("1" if flag else "0" for flag in flags.tolist())
