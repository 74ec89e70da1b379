"""Fresh keys drawn one after another: when drawing stops, that the rank is a p-value, and how little is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice, repeat

import pytest
import torch
from scipy import stats

from benchmark.protocol.parties import stream
from benchmark.protocol.redrawing import read_in_part, redrawn_in_turn, which_reach


def drawn(reached: int, later: Iterator[bool]) -> tuple[int, int]:
    """How many keys are drawn in all, and how many of these reach, where `reached` of the first 19 do."""
    totals = [7] * reached + [6] * (19 - reached)
    law = redrawn_in_turn(totals, 7, lambda left: list(islice(later, min(left, 30)))).record()
    assert (law["totals"], law["most"]) == (totals, 999)
    return 19 + law.get("more", 0), reached + law.get("reached", 0)


def test_drawing_stops_at_the_fifth_that_reaches_after_99_if_one_has_or_after_999() -> None:
    assert drawn(5, repeat(True)) == (19, 5)
    assert drawn(2, chain([False, True, True], repeat(True))) == (23, 5)
    assert drawn(1, repeat(False)) == (99, 1)
    assert drawn(0, repeat(False)) == (999, 0)
    assert drawn(0, chain(repeat(False, 200), repeat(True))) == (220, 1)


def test_keys_that_are_not_counted_are_not_drawn() -> None:
    later = iter([True] * 9)
    redrawn_in_turn([7, 7], 7, lambda left: islice(later, left), ((50, 4),))
    assert len(list(later)) == 7


def test_the_rank_of_a_key_that_is_drawn_as_the_others_is_a_p_value() -> None:
    """4,000 claimed keys among fresh ones, with few values and so with ties: no more accusations than alpha allows."""
    rng, found = stream("ranks"), []
    for _ in range(4000):
        own, *first = torch.randint(200, (20,), generator=rng).tolist()

        def further(left: int, own: int = own) -> list[bool]:
            return (torch.randint(200, (min(left, 100),), generator=rng) >= own).tolist()

        law = redrawn_in_turn(first, own, further).record()
        as_high = sum(total >= own for total in first) + law.get("reached", 0)
        found.append((1 + as_high) / (20 + law.get("more", 0)))
    for alpha in (0.2, 0.1, 0.05, 0.01, 0.005):
        assert sum(p <= alpha for p in found) <= stats.binom.ppf(0.999, len(found), alpha)
    assert sum(p <= 0.05 for p in found) >= 120  # nor far fewer, which would be blind


def reader(found: torch.Tensor, asked: list[int]) -> Callable[..., torch.Tensor]:
    def hits(keys: list[int], part: slice) -> torch.Tensor:
        seen = found[torch.tensor(keys), part]
        asked.append(seen.numel())
        return seen

    return hits


@pytest.mark.parametrize("own", [0, 1, 20, 60, 100])
def test_a_key_that_is_read_in_part_reaches_what_it_would_in_full(own: int) -> None:
    rates = torch.linspace(0, 1, 200)[:, None]
    found, asked = torch.rand(200, 100, generator=stream("hits")) < rates, []
    assert which_reach(100, own, range(200), reader(found, asked)) == (found.sum(1) >= own).tolist()
    assert sum(asked) <= found.numel()


def test_keys_that_miss_are_soon_left_alone() -> None:
    found, asked, count = torch.zeros(999, 100, dtype=torch.bool), [], iter(range(999))
    further = read_in_part(100, 98, lambda number: list(islice(count, number)), reader(found, asked))
    assert redrawn_in_turn([0] * 19, 98, further).record()["more"] == 980
    assert sum(asked) == 9800
    assert max(asked) <= 1900  # images of a question
