"""What passes between the parties: services, releases, keys, loot. Frozen values, no behaviour beyond `ask`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from benchmark.architectures.blocks import Net
from benchmark.training.loop import logits
from benchmark.vocabulary import Access


@dataclass(frozen=True)
class Service:
    """What answers queries: filters (JPEG, noise, a rejecter) in front of a net."""

    net: Net
    filters: tuple[Net, ...] = ()

    def running(self, device: torch.device | str = "cpu") -> Running:
        return Running(self.net.module(device), tuple(f.module(device) for f in self.filters))


@dataclass(frozen=True)
class Running:
    """A service at work on a device."""

    model: nn.Module
    filters: tuple[nn.Module, ...] = ()

    def ask(self, x: Tensor, access: Access) -> Tensor:
        """Answers to images (N, C, H, W) in [0, 1]: labels (N,), probabilities (N, classes) or raw outputs.

        Raw outputs are logits (N, classes), or the images (N, C, H, W) that an image-to-image net makes.
        """
        for stage in self.filters:
            x = stage(x)
        answer = logits(self.model, x)
        if access == "labels":
            return answer.argmax(1)
        return answer if access == "outputs" else answer.softmax(1)


@dataclass(frozen=True)
class Release:
    """What leaves the owner's house."""

    service: Service
    grants: Access


@dataclass(frozen=True)
class Key:
    """The secret. Subclasses add fields: tensors, scalars, str, bytes, Net, tuples of scalars.

    A field made with `shipped()` goes out with the release (V1 passports) and is no secret.
    """

    def public(self) -> dict[str, str]:
        """What the owner publishes of it before the release, beside the hash of the whole; nothing by default."""
        return {}


def shipped() -> Any:
    """Mark a key's field as part of the release."""
    return field(metadata={"shipped": True})


def secret_fields(key: Key) -> dict[str, Any]:
    """The fields of `key` that never leave the house."""
    return {f.name: getattr(key, f.name) for f in fields(key) if not f.metadata.get("shipped")}


@dataclass(frozen=True)
class Marked:
    """A marked model: a module (released with what the scheme declares) and the finished key."""

    model: nn.Module
    key: Key


@dataclass(frozen=True)
class Claim:
    """A thief's own key, brought before the judge under `scheme`'s rules."""

    key: Key


@dataclass(frozen=True)
class AttackResult:
    """What a thief ends up with: a model, filters in front of it, and perhaps a claim."""

    model: nn.Module | None = None  # None: the model as it was handed over
    filters: tuple[nn.Module, ...] = ()
    claim: Claim | None = None


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
