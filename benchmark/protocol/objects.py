"""What passes between the parties: services, releases, keys, results of attacks. All are frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from benchmark.architectures.net import Net, known
from benchmark.protocol import key_form
from benchmark.protocol.draws import Draws, seeds_of, takes_draws
from benchmark.protocol.graph import Operator, traced
from benchmark.training.loop import logits
from benchmark.vocabulary import Access


@dataclass(frozen=True)
class Service:
    """What answers queries: filters of queries (JPEG, noise, a rejecter) in front of a net, filters of answers behind.

    See `AttackResult` for what a filter of answers is given.
    """

    net: Net
    filters: tuple[Net, ...] = ()
    answer_filters: tuple[Net, ...] = ()

    @property
    def parts(self) -> tuple[Net, ...]:
        """The net, and every filter."""
        return self.net, *self.filters, *self.answer_filters

    @property
    def known(self) -> bool:
        """Whether this process has every builder that the net and its filters need."""
        return all(known(net.spec) for net in self.parts)

    def running(self, device: torch.device | str = "cpu") -> Running:
        front, behind = (tuple(f.module(device) for f in each) for each in (self.filters, self.answer_filters))
        return Running(self.net.module(device), front, behind)


class ServiceFailed(Exception):
    """A service in a process of its own raised an error, ended, or answered nonsense; the message says which."""

    @property
    def passing(self) -> bool:
        """Whether the machine is to blame, or the process ended, so that another run may not meet it."""
        blamed = (ValueError, TypeError, KeyError, RuntimeError)
        return self.__cause__ is not None and not isinstance(self.__cause__, blamed)


class Asked(Protocol):
    """What a court asks: a service in this process, or one in a process of its own."""

    def ask(self, x: Tensor, access: Access) -> Tensor:
        """See `Running.ask`. Raises ServiceFailed."""

    def graph(self, shape: Sequence[int]) -> list[Operator]:
        """See `Running.graph`. Raises ServiceFailed."""


class Remote(Asked, Protocol):
    """A process that serves one model after another, and only ever gets images."""

    def load(self, service: Service, sources: Sequence[Any]) -> None:
        """Serve from now on this service, for which it may import `sources`. Raises ServiceFailed."""


@dataclass(frozen=True)
class Running:
    """A service on a device."""

    model: nn.Module
    filters: tuple[nn.Module, ...] = ()
    answer_filters: tuple[nn.Module, ...] = ()

    @torch.no_grad()
    def ask(self, x: Tensor, access: Access) -> Tensor:
        """Answers to images (N, C, H, W) in [0, 1]: labels (N,), probabilities (N, classes) or raw outputs.

        Raw outputs are logits (N, classes), or the images (N, C, H, W) that an image-to-image net makes. What a random
        filter draws for an image follows from that image.
        """
        drawing = any(map(takes_draws, (*self.filters, *self.answer_filters)))
        draws = Draws(seeds_of(x), x.device) if drawing else None
        for stage in self.filters:
            x = stage(x, draws) if takes_draws(stage) else stage(x)
        answer = logits(self.model, x)
        for stage in self.answer_filters:
            answer = stage(answer, draws) if takes_draws(stage) else stage(answer)
        if answer.dim() == 2:  # a class that can't win may stand at minus infinity
            answer = answer.clamp(min=torch.finfo(answer.dtype).min)
        if access == "labels":
            return answer.argmax(1)
        return answer if access == "outputs" else answer.softmax(1)

    def graph(self, shape: Sequence[int]) -> list[Operator]:
        """The net behind the filters as standard operators with their tensors, traced on images of `shape`."""
        return traced(self.model, shape)


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
    """What a thief ends up with: a model, filters around it, and perhaps a key of his own that he claims it by.

    `filters` are given the images of a query, float (N, C, H, W) in [0, 1]; `answer_filters` what the model makes of
    them, logits (N, classes) or images, which they give back in the same form.
    """

    model: nn.Module | None = None  # None: the model as it was handed over
    filters: tuple[nn.Module, ...] = ()
    answer_filters: tuple[nn.Module, ...] = ()
    claim: Key | None = None
