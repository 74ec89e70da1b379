"""Zhu et al. 2025: no mark at all; a net whose channels lie where the delivered net has them was made from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

FIRST, MOST = 19, 1999  # orders whose totals are recorded, and that are drawn in all: 1/alpha - 1 for each of two views
ENOUGH = 5  # of them that are as alike as the delivered order: then that is ordinary, and no more are drawn
COPIES_AT_ONCE = 2**22  # numbers that the copies hold which are compared together


@dataclass(frozen=True, kw_only=True, eq=False)
class ProvenanceKey(wm.Key):
    """The net as it was delivered, and the `shape` (C, H, W) of its images. The secret salts its commitment alone."""

    net: wm.Net
    shape: tuple[int, ...] = wm.field(length=3)


@dataclass(frozen=True)
class Provenance(wm.Scheme[ProvenanceKey]):
    """The owner's plain net, nothing hidden in it: what a watermark has to beat.

    Zhu et al. 2025, Algorithm 1 (PERMTEST). A net's hidden channels start alike and are trained alike, so all their
    orders are equally likely, and no net that was made without the delivered one favours the one that this has. A total
    says how alike two nets are, filter by filter; the suspect's is ranked among those that it has with copies of the
    delivered net whose channels were put in random order, those of layers that share them together. The rank is an
    exact p-value, whatever data both nets saw. A net of other shapes can't be read, and whoever permutes channels takes
    the total to chance. Then their robust variant matches first: the suspect is aligned to the delivered net, which
    gives no exact p, so the nulls, aligned alike, decide.
    Different from their code: they compare by distance, or correlate matched channels; here by the cosine of incoming
    weights without its sign, which scale and sign of a filter leave alone. Drawing stops as soon as five copies are as
    alike. The p holds against chance, not against theft: who has copied a net can claim it too, and only the commitment
    to the delivered net, older than the suspect, settles that. Two nets from one published start are no strangers.
    """

    name = "provenance"
    paper = "Zhu et al. 2025, ICML (arXiv:2502.12292)"
    court = "weights"
    host = True
    item = "filter"
    null_law = "redrawn"

    def keygen(self, party: wm.Party, rng: torch.Generator) -> ProvenanceKey:
        """The party's own net: there is nothing to draw but what salts its commitment."""
        net = party.host if isinstance(party, wm.Owner) else party.fit(party.build())
        groups = wm.channel_groups(net, party.task.shape)  # what can't be read is refused now, not in court
        if not groups:
            raise wm.NotApplicable("the net has no hidden channels that could come in another order")
        return ProvenanceKey(secret=wm.secret(rng), net=wm.Net.of(net), shape=party.task.shape)

    def rebind(self, key: ProvenanceKey, secret: bytes) -> ProvenanceKey:
        return replace(key, secret=secret)

    @property
    def hash_bound(self) -> bool:
        """Nothing follows from the secret, so there is nothing to search for."""
        return False

    def redraw(self, key: ProvenanceKey, rng: torch.Generator) -> ProvenanceKey:
        """The same net with its channels in another order, as likely as the one it has."""
        net = key.net.module()
        state, groups = dict(net.state_dict()), wm.channel_groups(net, key.shape)
        for group, (order,) in zip(groups, orders(groups, 1, rng), strict=True):
            group.reorder(state, order)
        net.load_state_dict(state)
        return replace(key, secret=wm.secret(rng), net=wm.Net.of(net))

    def malformed(self, key: ProvenanceKey) -> str | None:
        if not all(bool(one.isfinite().all()) for one in key.net.state.values()):
            return "the net has NaN or infinity in it"
        try:
            groups = wm.channel_groups(key.net.module(), key.shape)
        except Exception as error:  # whatever a net of somebody else's making does when it is built and traced
            return f"the channels of the net can't be read: {error}".splitlines()[0]
        return None if groups else "the net has no hidden channels"

    def embed(self, owner: wm.Owner, key: ProvenanceKey) -> wm.Marked:
        return wm.Marked(key.net.module(owner.device), key)

    def observe(self, suspect: wm.Suspect, key: ProvenanceKey, court: wm.Court) -> wm.Observations:
        """How alike the filters of suspect and delivered net are, each to the one in its own place."""
        if reason := self.malformed(key):
            raise wm.Unreadable(reason)
        delivered, found = key.net.module(), wm.plain(suspect.net())
        groups = wm.channel_groups(delivered, key.shape)
        layers = filters(delivered, found, groups)
        own = alike(layers, [torch.arange(group.size)[None] for group in groups])[0]
        channels = {"filters": wm.Channel(own, ranked(layers, groups, float(own.mean()), court.rng))}
        views = ("filters_aligned",) if court.reference else ()
        for view in views:
            turned = suspect.aligned({})
            matched = filters(delivered, found if turned is None else turned, groups)
            channels[view] = wm.Channel(alike(matched, [torch.arange(group.size)[None] for group in groups])[0])
        return wm.Observations("filters", channels, views=views)


@dataclass(frozen=True)
class Filters:
    """The filters of one layer in both nets, (C_out, inputs, numbers), each of unit length.

    writes, reads: the numbers of the groups whose channels these and their inputs are; None: of none.
    """

    delivered: Tensor
    suspect: Tensor
    writes: int
    reads: int | None


def filters(delivered: nn.Module, suspect: nn.Module, groups: Sequence[wm.ChannelGroup]) -> list[Filters]:
    """Those of all layers with hidden channels. Raises Unreadable for nets of different shapes."""
    nets = delivered.state_dict(), suspect.state_dict()
    reads = {name: number for number, group in enumerate(groups) for name in group.readers}
    found = []
    for number, group in enumerate(groups):
        for name, _ in group.writers:
            mine, theirs = (net.get(f"{name}.weight") for net in nets)
            if mine is None or theirs is None or mine.shape != theirs.shape:
                raise wm.Unreadable(f"the layer {name} is missing or has another shape than in the delivered net")
            inputs = groups[reads[name]].size if name in reads else mine.shape[1]
            unit = [
                F.normalize(one.float().cpu().flatten(1), dim=1).unflatten(1, (inputs, -1)) for one in (mine, theirs)
            ]
            found.append(Filters(unit[0], unit[1], number, reads.get(name)))
    return found


def alike(layers: Sequence[Filters], places: Sequence[Tensor]) -> Tensor:
    """Cosines without sign, (B, filters), between the suspect's filters and B copies of the delivered net's.

    places: by group, (B, size), which channel of the delivered net a copy has in each place.
    """
    found = []
    for layer in layers:
        rows = places[layer.writes][:, :, None]
        inputs = torch.arange(layer.delivered.shape[1])[None] if layer.reads is None else places[layer.reads]
        found.append((layer.delivered[rows, inputs[:, None, :]] * layer.suspect).sum((2, 3)).abs())
    return torch.cat(found, 1)


def orders(groups: Sequence[wm.ChannelGroup], count: int, rng: torch.Generator) -> list[Tensor]:
    """By group, `count` random orders of its channels, (count, size): those of one unit stay together."""
    found = []
    for group in groups:
        units = torch.rand(count, group.size // group.unit, 1, generator=rng).argsort(1)
        inside = torch.rand(count, group.size // group.unit, group.unit, generator=rng).argsort(2)
        found.append((units * group.unit + inside).flatten(1))
    return found


def ranked(
    layers: Sequence[Filters], groups: Sequence[wm.ChannelGroup], own: float, rng: torch.Generator
) -> wm.NullDistribution:
    """The law of who is as alike as the suspect, whose total is `own`: the delivered net in random orders."""
    fresh = totals(layers, groups, rng)
    first = list(islice(fresh, FIRST))
    return wm.redrawn_in_turn(
        first, own, lambda left: (total >= own for total in islice(fresh, left)), ((MOST, ENOUGH),)
    )


def totals(layers: Sequence[Filters], groups: Sequence[wm.ChannelGroup], rng: torch.Generator) -> Iterator[float]:
    """Those of the delivered net in `MOST` random orders, drawn as they are asked for."""
    at_once = max(1, COPIES_AT_ONCE // sum(layer.delivered.numel() for layer in layers))
    for start in range(0, MOST, at_once):
        yield from alike(layers, orders(groups, min(at_once, MOST - start), rng)).mean(1).tolist()
