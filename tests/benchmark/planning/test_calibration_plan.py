"""The jobs of a calibration: pools, who attacks whom, and fresh keys spread over the nulls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError
from benchmark.planning.calibration import (
    CROSSED,
    OTHER_IMAGE_NETS,
    OTHER_NETS,
    calibration_plan,
    counts_redrawn_keys,
)
from benchmark.planning.null_pools import null_attacks
from benchmark.planning.plan import Plan, make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

REGISTRY = Registry.discover(())


def planned(nulls: int = 60) -> tuple[Plan, list[dict[str, Any]]]:
    profile = load_profile("calibrate").with_options(nulls=nulls)
    attacks = select_attacks("finetune(mode=ftal),prune(amount=0.5)", REGISTRY)
    return plan_of(profile, "adi(),rose()", attacks)


def plan_of(profile: Any, schemes: str, attacks: Any) -> tuple[Plan, list[dict[str, Any]]]:
    (scratch,), (near,) = select_attacks("scratch", REGISTRY), select_attacks("finetune(mode=ftal)", REGISTRY)
    (surrogate,) = select_attacks("surrogate", REGISTRY)
    neighbours = {"classification": near, "image-to-image": surrogate}
    rows = select_schemes(schemes, REGISTRY)
    others = scratch, neighbours, null_attacks(profile, rows, REGISTRY)
    return calibration_plan(profile, rows, attacks, *others, 2000)


def test_every_pool_is_what_its_name_says() -> None:
    plan, (adi, rose) = planned()
    jobs = {job.id: job for job in plan.jobs}
    pools = {name: [jobs[one] for one in jobs[judged].payload["suspects"]] for name, judged in adi["pools"].items()}
    assert {name: len(pool) for name, pool in pools.items()} == {
        "clean": 60, "attacked": 60,
        "other architecture": OTHER_NETS, "disjoint data": OTHER_NETS, "near innocents": OTHER_NETS,
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


def test_a_run_of_the_same_training_shares_the_jobs() -> None:
    plan, _ = planned()
    profile = load_profile("quick").with_options(nulls=60)
    run = make_plan(profile, select_schemes("adi()", REGISTRY), select_attacks("none", REGISTRY), {})
    shared = {job.id for job in plan.jobs} & {job.id for job in run.jobs}
    assert {job.kind for job in run.jobs if job.id in shared} == {"host", "null", "marked", "judged"}


@pytest.mark.parametrize("profile", ["calibrate", "paper-deepmodel"])
def test_image_schemes_are_calibrated_on_their_own_track(profile: str) -> None:
    attacks = select_attacks("finetune(mode=ftal),surrogate,surrogate(augment=true)", REGISTRY)
    plan, (image, *others) = plan_of(load_profile(profile), "deepmodel" if "paper" in profile else "deepmodel,adi()",
                                     attacks)  # fmt: skip
    jobs = {job.id: job for job in plan.jobs}
    pools = {name: [jobs[one] for one in jobs[judged].payload["suspects"]] for name, judged in image["pools"].items()}
    assert {len(pool) for name, pool in pools.items() if name != "clean"} == {OTHER_IMAGE_NETS}
    assert len(pools["clean"]) == (16 if profile == "calibrate" else 8)
    assert {one.payload["world"]["task"] for pool in pools.values() for one in pool} == {"derain"}
    assert {one.payload["world"]["architecture"] for one in pools["other architecture"]} == {"residual", "plain"}
    host, *neighbours = pools["near innocents"]
    assert {(one.payload["target"], one.payload["stages"][0]["name"]) for one in neighbours} == {(host.id, "surrogate")}
    assert {one.payload["stages"][0]["name"] for one in pools["attacked"]} == {"surrogate"}
    copies = [jobs[one] for one in jobs[image["surrogate_nulls"]].payload["suspects"]]
    assert [jobs[one.payload["target"]].payload["index"] for one in copies] == list(
        range(9)
    )  # a run's 8 beside the suspect's own
    assert not {one.id for one in copies} & {one.id for pool in pools.values() for one in pool}
    assert all(other["surrogate_nulls"] is None for other in others)
    for other in others:
        (task,) = {jobs[one].payload["world"]["task"] for one in other["pools"].values()}
        assert task == "digits"


def test_a_track_without_an_attack_is_one_sentence() -> None:
    with pytest.raises(BenchError, match="none of the --attacks can be run on image-to-image nets"):
        plan_of(load_profile("calibrate"), "deepmodel", select_attacks("prune(amount=0.5)", REGISTRY))


def test_keys_of_a_redrawn_law_meet_many_nulls_each() -> None:
    plan, (keynet, adi) = plan_of(
        load_profile("calibrate"), "keynet(),adi()", select_attacks("prune(amount=0.5)", REGISTRY)
    )
    jobs = {job.id: job for job in plan.jobs}
    assert adi["crossed"] == []
    suspects = [jobs[one].payload["suspects"] for one in keynet["crossed"]]
    clean = jobs[keynet["pools"]["clean"]].payload["suspects"]
    assert suspects == [[one] for one in clean[:CROSSED]]
    assert {jobs[one].payload["draws"] for one in keynet["crossed"]} == {223}  # each accuses all nine: 2,007 pairs


def test_a_plug_in_says_itself_that_its_keys_are_redrawn(tmp_path: Path) -> None:
    plugin = tmp_path / "drawer.py"
    plugin.write_text(
        "from benchmark.contract import Scheme\n\n\n"
        'class Drawer(Scheme):\n    """Under test."""\n\n    name = "drawer"\n    null_law = "redrawn"\n'
    )
    schemes = select_schemes("all", Registry.discover([plugin]))
    redrawn = {one.stages[0].declaration.name for one in schemes if counts_redrawn_keys(one)}
    assert redrawn == {"drawer", "content", "keynet", "provenance"}


def test_beside_fine_tunes_of_the_same_weights_stand_nets_from_scratch() -> None:
    profile = load_profile("calibrate").with_options(weights=str(Path(__file__)))
    plan, (adi,) = plan_of(profile, "adi()", select_attacks("finetune(mode=ftal)", REGISTRY))
    jobs = {job.id: job for job in plan.jobs}
    pools = {name: [jobs[one] for one in jobs[judged].payload["suspects"]] for name, judged in adi["pools"].items()}
    assert {one.weights for one in pools["clean"]} == {str(Path(__file__).absolute())}
    assert len(pools["from scratch"]) == OTHER_NETS
    for one in (*pools["from scratch"], *pools["other architecture"]):
        assert not one.weights
        assert "weights" not in one.payload["world"]
    assert {one.payload["world"]["architecture"] for one in pools["from scratch"]} == {"convnet"}
