"""Fresh keys, drawn one after another: no more than the rank needs, each asked about no further than it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from benchmark.protocol.observations import NullDistribution, redrawn

Fresh = TypeVar("Fresh")  # a fresh key, or what of it is asked

STAGES = ((99, 5), (999, 1))  # 1/alpha - 1 keys at alpha 0.001; after the first 99, one that reaches is too many
_FIRST = 19  # keys that are mostly asked about in the first question: later ones are about as large
_LEAST_READ = 10  # items that a key is asked about at a time


def redrawn_in_turn(
    totals: Sequence[float],
    own: float,
    further: Callable[[int], Iterable[bool]],
    stages: Sequence[tuple[int, int]] = STAGES,
) -> NullDistribution:
    """The law `redrawn`: fresh keys are drawn until enough score the suspect's total `own` or more.

    totals: what the first keys scored, 19 or so. further: of the next keys, at least one and at most as many as it is
    given, whether each has `own` or more; what it yields lazily is drawn only if it counts. stages: (most, enough) in
    turn, up to `most` keys in all until `enough` of all have reached `own`.

    The claimed key has to be drawn as these are, independently of the suspect, and asked about in the same way: then
    its rank among them is a p-value, since when drawing stops depends on nothing but how many have reached `own` by
    then (Besag & Clifford, Biometrika 78 (1991) 301). A stage behind the first goes on only where none, or few, have
    reached it, and splits the least of its ranks alone.
    """
    first = reached = sum(total >= own for total in totals)
    more = 0
    for most, enough in stages:
        while reached < enough and (left := most - len(totals) - more) > 0:
            for reaches in further(left):
                more, reached = more + 1, reached + reaches
                if reached >= enough:
                    break
    return redrawn(totals, more, reached - first, stages[-1][0])


def read_in_part(
    items: int, own: int, draw: Callable[[int], Sequence[Fresh]], hits: Callable[[Sequence[Fresh], slice], Tensor]
) -> Callable[[int], list[bool]]:
    """`further` of `redrawn_in_turn` for keys whose total is `own` hits of `items`: see `which_reach`.

    draw: that many fresh keys. They are as few at a time as make a question of about 19 keys in all items.
    """
    at_once = _FIRST * items // max(_LEAST_READ, items - own + 1)
    return lambda left: which_reach(items, own, draw(min(at_once, left)), hits)


def which_reach(
    items: int, own: int, keys: Sequence[Fresh], hits: Callable[[Sequence[Fresh], slice], Tensor]
) -> list[bool]:
    """Whether each of `keys` has `own` hits of `items` or more, asked about until that is sure.

    Mostly it is when a key has missed so many of the first items that it can't. hits: of some of the keys and a slice
    of the items, which are hits, boolean (keys, items).
    """
    right, sure, asked = torch.zeros(len(keys), dtype=torch.int64), torch.zeros(len(keys), dtype=torch.bool), 0
    while not bool(sure.all()):
        open_ = (~sure).nonzero()[:, 0]
        spare = items - own - (asked - right[open_])  # misses that each may still have
        part = slice(asked, min(items, asked + max(_LEAST_READ, int(spare.min()) + 1)))
        right[open_] += hits([keys[index] for index in open_.tolist()], part).sum(1)
        asked = part.stop
        sure = (right >= own) | (asked - right > items - own)
    return (right >= own).tolist()
