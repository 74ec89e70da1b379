"""What a release grants: the order of access, from which grants and needs are compared."""

from __future__ import annotations

from itertools import product

import pytest

from benchmark.vocabulary import ACCESS, Access, least, may, smaller

EVERY: tuple[Access, ...] = ("none", *ACCESS)


def test_a_smaller_grant_serves_whom_both_would_serve() -> None:
    for one, other, use in product(EVERY, EVERY, EVERY):
        assert may(smaller(one, other), use) == (may(one, use) and may(other, use)), (one, other, use)


@pytest.mark.parametrize(
    ("grants", "wanted", "got"),
    [
        ("weights", "labels", "labels"),
        ("labels", "weights", "labels"),
        ("probabilities", "labels", "labels"),
        ("labels", "probabilities", "labels"),
        ("weights", "outputs", "outputs"),
        ("outputs", "labels", "none"),
        ("weights", "none", "none"),
        ("none", "weights", "none"),
    ],
)
def test_the_smaller_of_two(grants: Access, wanted: Access, got: Access) -> None:
    assert smaller(grants, wanted) == got


@pytest.mark.parametrize(
    ("needs", "found"),
    [
        ({"none"}, "none"),
        ({"none", "labels"}, "labels"),
        ({"labels", "probabilities"}, "probabilities"),
        ({"labels", "weights"}, "weights"),
        ({"outputs", "none"}, "outputs"),
        ({"outputs", "weights"}, "weights"),
        ({"outputs", "labels"}, None),
        ({"outputs", "labels", "weights"}, None),
    ],
)
def test_the_least_grant_that_serves_a_chain(needs: set[Access], found: Access | None) -> None:
    assert least(needs) == found
