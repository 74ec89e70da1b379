"""What a plan adds to the cells that were asked for."""

from __future__ import annotations

import pytest

from benchmark.plan import Plan, make_plan
from benchmark.profile import load_profile
from benchmark.registry import Registry
from benchmark.selection import select_attacks, select_schemes

REGISTRY = Registry.discover()


@pytest.mark.parametrize("scheme", ["adi()", "deepmodel"])
def test_each_key_meets_the_next_owners_model_at_the_price_of_one_judging(scheme: str) -> None:
    def planned(seeds: int) -> Plan:
        profile = load_profile("quick").with_options(seeds=seeds)
        return make_plan(profile, select_schemes(scheme, REGISTRY)[:1], select_attacks("none", REGISTRY), {})

    alone, plan = planned(1), planned(3)
    assert all("rival" not in cell.jobs for cell in alone.cells)
    by_id = {job.id: job for job in plan.jobs}
    cells = [cell for cell in plan.cells if not cell.innocent]
    marked = [cell.jobs["marked"] for cell in cells]
    assert len(set(marked)) == 3
    for number, cell in enumerate(cells):
        rival = by_id[cell.jobs["rival"]].payload
        assert (rival["key"], rival["suspects"]) == (marked[number], [marked[(number + 1) % 3]])
    assert sum(job.kind == "marked" for job in plan.jobs) == 3


def test_the_plan_lists_parents_before_children_with_rivals_too() -> None:
    profile = load_profile("quick").with_options(seeds=2)
    plan = make_plan(profile, select_schemes("adi()", REGISTRY), select_attacks("none", REGISTRY), {})
    seen: set[str] = set()
    for job in plan.jobs:
        assert set(job.parents) <= seen
        seen.add(job.id)
