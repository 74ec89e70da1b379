"""What a court writes down of one suspect: raw items by channel, gates, the law of a fresh key, and admission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class NullDistribution:
    """The law of a key's total under a fresh key, if it is known (metrics.md, section 1)."""

    kind: Literal["binomial", "poisson-binomial", "redrawn"]
    numbers: tuple[float, ...]

    FIELD: ClassVar = {"binomial": "p", "poisson-binomial": "p", "redrawn": "totals"}

    def record(self) -> dict[str, Any]:
        value = self.numbers[0] if self.kind == "binomial" else list(self.numbers)
        return {"kind": self.kind, self.FIELD[self.kind]: value}


def binomial(p: float) -> NullDistribution:
    """Each of the n items hits with probability p under a fresh key, independently."""
    return NullDistribution("binomial", (p,))


def poisson_binomial(p: Sequence[float]) -> NullDistribution:
    """Item i hits with probability p[i] under a fresh key, independently."""
    return NullDistribution("poisson-binomial", tuple(p))


def redrawn(totals: Sequence[float]) -> NullDistribution:
    """Fresh keys were drawn and scored on the same suspect: these are their totals. At least 8, better 19 or more."""
    return NullDistribution("redrawn", tuple(totals))


@dataclass(frozen=True)
class Channel:
    """One number per key item, raw: booleans (a hit) or real scores (N,)."""

    items: Tensor
    law: NullDistribution | None = None

    def record(self) -> dict[str, Any]:
        if self.items.dtype == torch.bool:
            body: dict[str, Any] = {"hits": bits(self.items)}
        else:
            body = {"values": self.items.double().tolist()}
        return body | ({"law": self.law.record()} if self.law else {})


@dataclass(frozen=True)
class Gate:
    """Paired outcomes on the same images: right (N,) before and after, boolean."""

    before: Tensor
    after: Tensor

    def record(self) -> dict[str, str]:
        return {"before": bits(self.before), "after": bits(self.after)}


@dataclass(frozen=True)
class Observations:
    """What the judge saw of one suspect under one key: channels of raw items, of which `evidence` counts."""

    evidence: str
    channels: dict[str, Channel]
    gates: dict[str, Gate] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        return {
            "evidence": self.evidence,
            "channels": {name: channel.record() for name, channel in self.channels.items()},
            "gates": {name: gate.record() for name, gate in self.gates.items()},
            "unreadable": None,
        }


@dataclass(frozen=True)
class Admission:
    """Whether a key may be heard: its form is right, and its labels or bits follow from its secret.

    `hash_bound`: they are recomputed from a hash of a free secret, so a forger may search over secrets.
    """

    well_formed: bool
    bound: bool
    hash_bound: bool
    reason: str | None = None


def bits(flags: Tensor) -> str:
    """Booleans (N,) as one character each."""
    return "".join("1" if flag else "0" for flag in flags.tolist())
