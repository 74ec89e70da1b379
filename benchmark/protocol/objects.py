"""What passes between the parties: services, releases, keys, results of attacks. All are frozen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.architectures.net import Net
from benchmark.protocol import key_form
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
    """A service on a device."""

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
    """What the owner hands out, and the access to it that he grants."""

    service: Service
    grants: Access


@dataclass(frozen=True, kw_only=True)
class Key:
    """What an owner keeps to prove his mark. Subclasses add fields: tensors, scalars, str, bytes, Net, tuples of them.

    `benchmark.protocol.key_form.field` declares the form of each. Labels or bits follow from `secret` by the scheme's
    public rule (`Scheme.rebind`), so that nobody can choose them.
    """

    secret: bytes = key_form.field(length=32)

    def public(self) -> dict[str, str]:
        """What the owner publishes of it before the release, beside the hash of the whole; nothing by default."""
        return {}


@dataclass(frozen=True)
class Marked:
    """A marked model: a module (released with what the scheme declares) and the finished key."""

    model: nn.Module
    key: Key


@dataclass(frozen=True)
class AttackResult:
    """What a thief ends up with: a model, filters in front of it, and perhaps a key of his own that he claims it by."""

    model: nn.Module | None = None  # None: the model as it was handed over
    filters: tuple[nn.Module, ...] = ()
    claim: Key | None = None
