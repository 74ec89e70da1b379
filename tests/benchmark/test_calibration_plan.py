"""The jobs of a calibration: pools, who attacks whom, and fresh keys spread over the nulls."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.calibration import OTHERS, calibration_plan
from benchmark.plan import Plan, make_plan
from benchmark.profile import load_profile
from benchmark.registry import Registry
from benchmark.selection import select_attacks, select_schemes

REGISTRY = Registry.discover(())


def planned(nulls: int = 60) -> tuple[Plan, list[dict[str, Any]]]:
    profile = load_profile("calibrate").with_options(nulls=nulls)
    attacks = select_attacks("finetune(mode=ftal),prune(amount=0.5)", REGISTRY)
    (scratch,), (near,) = select_attacks("scratch", REGISTRY), select_attacks("finetune(mode=ftal)", REGISTRY)
    return calibration_plan(profile, select_schemes("adi(),rose()", REGISTRY), attacks, scratch, near, 2000)


def test_every_pool_is_what_its_name_says() -> None:
    plan, (adi, rose) = planned()
    jobs = {job.id: job for job in plan.jobs}
    pools = {name: [jobs[one] for one in jobs[judged].payload["suspects"]] for name, judged in adi["pools"].items()}
    assert {name: len(pool) for name, pool in pools.items()} == {
        "clean": 60, "other architecture": OTHERS, "disjoint data": OTHERS, "near innocents": OTHERS, "attacked": 60,
    }  # fmt: skip
    assert {one.payload["world"]["architecture"] for one in pools["clean"]} == {"convnet"}
    assert {one.payload["world"]["architecture"] for one in pools["other architecture"]} == {"resnet8"}
    assert all(one.payload["target"] is None for one in pools["disjoint data"])
    host, *neighbours = pools["near innocents"]
    assert host.kind == "host"
    assert host.id in jobs[adi["marked"]].parents
    assert {one.payload["target"] for one in neighbours} == {host.id}
    assert [one.payload["target"] for one in pools["attacked"]] == [one.id for one in pools["clean"]]
    assert {one.payload["stages"][0]["name"] for one in pools["attacked"]} == {"finetune", "prune"}
    assert jobs[rose["pools"]["clean"]].payload["suspects"] == jobs[adi["pools"]["clean"]].payload["suspects"]
    ids = [job.id for job in plan.jobs]
    assert all(ids.index(parent) < ids.index(job.id) for job in plan.jobs for parent in job.parents)


def test_fresh_keys_are_drawn_on_the_clean_nulls() -> None:
    plan, (adi, _) = planned()
    drawn = next(job for job in plan.jobs if job.id == adi["drawn"])
    assert (drawn.kind, drawn.role, drawn.payload["draws"], drawn.payload["key"]) == (
        "drawn",
        "court",
        2000,
        adi["marked"],
    )
    assert len(drawn.payload["suspects"]) == 60


@pytest.mark.parametrize(("nulls", "stolen"), [(60, False), (100, True)])
def test_marked_models_are_attacked_where_a_curve_can_be_drawn(nulls: int, stolen: bool) -> None:
    _, (adi, _) = planned(nulls)
    assert (adi["attacked_marked"] is not None) is stolen


def test_a_run_of_the_same_training_shares_the_jobs() -> None:
    plan, _ = planned()
    profile = load_profile("quick").with_options(nulls=60)
    run = make_plan(profile, select_schemes("adi()", REGISTRY), select_attacks("none", REGISTRY))
    shared = {job.id for job in plan.jobs} & {job.id for job in run.jobs}
    assert {job.kind for job in run.jobs if job.id in shared} == {"host", "null", "marked", "judged"}
