"""What a plan adds to the cells that were asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmark.architectures.catalogue import layers_of
from benchmark.errors import BenchError
from benchmark.execution.walls import files_of_step
from benchmark.planning.job import Job
from benchmark.planning.null_pools import null_attacks, null_jobs
from benchmark.planning.plan import SURROGATES, Plan, make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

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


def test_every_marked_classifier_has_a_twin_that_knows_how_long_it_was_trained() -> None:
    plan = images(False)
    by_id = {job.id: job for job in plan.jobs}
    for cell in plan.cells:
        assert ("twin" in cell.jobs) is ("adi" in cell.scheme and not cell.innocent and cell.reason is None), cell
        if "twin" in cell.jobs:
            twin, marked = by_id[cell.jobs["twin"]], by_id[cell.jobs["marked"]]
            assert (twin.payload["marked"], twin.parents) == (marked.id, (marked.id, marked.payload["host"]))
            assert (twin.role, twin.sources, "secret" in twin.payload) == ("owner", {}, False)
            read = [Path(name) for name in files_of_step(twin, "make")]
            assert [(path.parts[0], path.stem) for path in read] == [("records", one) for one in twin.parents]
            assert files_of_step(twin, "answer") == []
    kinds = Counter(job.kind for job in plan.jobs if job.payload["world"]["task"] == "digits")
    assert kinds["twin"] == kinds["marked"] == 2  # of two seeds


def test_the_plan_lists_parents_before_children_with_rivals_too() -> None:
    profile = load_profile("quick").with_options(seeds=2)
    plan = make_plan(profile, select_schemes("adi()", REGISTRY), select_attacks("none", REGISTRY), {})
    seen: set[str] = set()
    for job in plan.jobs:
        assert set(job.parents) <= seen
        seen.add(job.id)


@pytest.mark.parametrize(
    ("scheme", "wrong"), [(f"adi(n={2**70})", "more than 64 bits"), ("adi(epochs=1e999)", "whole number")]
)
def test_a_job_that_no_record_can_hold_is_refused(scheme: str, wrong: str) -> None:
    with pytest.raises(BenchError, match=wrong):
        make_plan(load_profile("quick"), select_schemes(scheme, REGISTRY), select_attacks("none", REGISTRY), {})


# -- surrogates of clean nulls ---------------------------------------------------------------------------------------


def images(second_pool: bool, seeds: int = 2, **options: Any) -> Plan:
    profile = load_profile("quick").with_options(seeds=seeds, **options)
    schemes = select_schemes("deepmodel,adi()", REGISTRY)
    others = null_attacks(profile, schemes, REGISTRY) if second_pool else {}
    return make_plan(profile, schemes, select_attacks("none,surrogate", REGISTRY), others)


def test_image_tracks_have_eight_surrogates_of_clean_nulls_made_once() -> None:
    plan, alone = images(True), images(False)
    by_id, before = {job.id: job for job in plan.jobs}, {job.id for job in alone.jobs}
    assert before < by_id.keys()
    added = [job for job in plan.jobs if job.id not in before]
    made = [job for job in added if job.kind == "attacked"]
    keys = {cell.jobs["marked"] for cell in plan.cells if "deepmodel" in cell.scheme}
    judged = [job for job in added if job.kind == "judged"]
    assert (len(made), len(judged), len(added)) == (SURROGATES, len(keys), SURROGATES + len(keys))
    assert {job.payload["key"] for job in judged} == keys
    for job in judged:
        assert job.payload["suspects"] == [one.id for one in made]
    nulls = [by_id[job.payload["target"]] for job in made]
    assert [(null.kind, null.payload["index"]) for null in nulls] == [("null", index) for index in range(SURROGATES)]
    assert {(job.payload["stages"][0]["name"], job.payload["world"]["task"]) for job in made} == {
        ("surrogate", "derain")
    }
    assert (plan.surrogates, alone.surrogates) == ({"derain": 8}, {})


def test_no_suspect_shares_a_stream_with_a_surrogate_among_the_nulls() -> None:
    plan = images(True, seeds=9)
    nulls = {one for job in plan.jobs if job.label.startswith("judged 8 attacked") for one in job.payload["suspects"]}
    drawn = {job.payload["replicate"] for job in plan.jobs if job.id in nulls}
    assert len(drawn) == SURROGATES
    assert drawn.isdisjoint(job.payload["replicate"] for job in plan.jobs if job.id not in nulls)


def test_every_cell_of_an_image_scheme_names_both_pools() -> None:
    for cell in images(True).cells:
        both = {"nulls", "surrogate_nulls"} <= cell.jobs.keys()
        assert both is ("deepmodel" in cell.scheme and cell.reason is None), cell


def test_a_thief_without_images_still_leaves_surrogates() -> None:
    plan, poor = images(True), images(True, thief_labelled=(0, 30), thief_unlabelled=(0,))
    ids = [{one for job in some.jobs if job.label.startswith("judged 8 attacked") for one in job.payload["suspects"]}
           for some in (plan, poor)]  # fmt: skip
    assert ids[0] == ids[1]


def test_a_court_outside_any_run_shares_the_pools_of_a_run() -> None:
    digits, photos = load_profile("quick").tracks
    assert [len(ids) for ids in null_jobs(digits, REGISTRY)[0].values()] == [16]
    pools, jobs = null_jobs(photos, REGISTRY)
    run = {job.id: job for job in images(True).jobs}
    assert {job.id for job in jobs} <= run.keys()
    assert [len(ids) for ids in pools.values()] == [8, SURROGATES]
    (cell, *_) = [cell for cell in images(True).cells if "deepmodel" in cell.scheme]
    assert {role: run[cell.jobs[role]].payload["suspects"] for role in pools} == pools


def test_a_claim_is_judged_with_every_pool_under_its_own_key() -> None:
    """No claim on images comes with the benchmark, so digits are given a second pool."""
    (attack,) = select_attacks("finetune(mode=ftal)", REGISTRY)
    claims = select_attacks("false-head", REGISTRY)
    plan = make_plan(load_profile("quick"), select_schemes("keynet()", REGISTRY), claims, {"digits": attack})
    jobs = {job.id: job.payload for job in plan.jobs}
    (cell, *_) = [cell for cell in plan.cells if not cell.innocent and cell.reason is None]
    for role, models in (("nulls", 16), ("surrogate_nulls", SURROGATES)):
        owners, theirs = jobs[cell.jobs[f"fresh_{role}"]], jobs[cell.jobs[role]]
        assert (owners["key"], theirs["key"]) == (cell.jobs["marked"], cell.jobs["attacked"])
        assert owners["suspects"] == theirs["suspects"]
        assert len(theirs["suspects"]) == models


def test_a_built_in_file_that_the_user_names_is_trusted_like_any_other_and_keeps_its_ids() -> None:
    source = REGISTRY.find("attack", "prune").source

    def jobs(registry: Registry) -> dict[str, Job]:
        chosen = select_schemes("adi()", registry), select_attacks("none,prune(amount=0.3)", registry)
        return {job.id: job for job in make_plan(load_profile("quick"), *chosen, {}).jobs}

    built_in, named = jobs(REGISTRY), jobs(Registry.discover([source]))
    assert built_in.keys() == named.keys()
    assert not any(job.foreign for job in built_in.values())
    ran = {id for id, job in named.items() if any(one.path == str(source) for one in job.sources.values())}
    assert ran
    assert {id for id, job in named.items() if job.foreign} == ran
    assert all(named[id].sources["scheme"].trusted for id in ran if "scheme" in named[id].sources)


def test_pairs_that_can_t_be_run_are_counted_by_what_keeps_them_apart() -> None:
    schemes = select_schemes("adi(),passport(),deepmodel()", REGISTRY)
    attacks = select_attacks("prune,jpeg,fake1,fake2,surrogate", REGISTRY)
    plan = make_plan(load_profile("quick").with_options(seeds=2), schemes, attacks, {})
    found = {(one.attacks, one.schemes): (one.attack_count, one.scheme_count, one.cells) for one in plan.kept_apart()}
    assert found == {
        ("requiring passports", "without"): (2, 2, 8),
        ("of image-to-image nets", "on digits"): (1, 2, 4),
        ("of classification nets", "on derain"): (1, 1, 2),
    }
    assert sum(one.cells for one in plan.kept_apart()) == sum(bool(c.reason) and not c.innocent for c in plan.cells)
    alone = make_plan(load_profile("fmnist"), schemes, attacks, {})
    assert ("", "for image-to-image nets", 5, 1, 5) in [tuple(vars(one).values()) for one in alone.kept_apart()]


def test_what_needs_layers_that_the_architecture_lacks_is_known_before_the_run() -> None:
    profile = load_profile("quick-vit")
    schemes, attacks = select_schemes("adi(),passport()", REGISTRY), select_attacks("none,bnp,sign-flip", REGISTRY)
    plan = make_plan(profile, schemes, [*attacks, *select_attacks("distill+bnp", REGISTRY)], {})
    reasons = {(one.scheme.partition("(")[0], one.attack): one.reason for one in plan.cells if not one.innocent}
    assert reasons["adi", "none"] is None
    assert reasons["adi", "bnp"] == "bnp needs batch normalisation, and vit(depth=2) has none"
    assert str(reasons["adi", "sign-flip"]).endswith("normalised convolutions, and vit(depth=2) has none")
    assert reasons["adi", next(one for _, one in reasons if "+" in one)] is None  # of a net that he makes himself
    assert all(
        "needs normalised convolutions, and vit" in str(one) for (name, _), one in reasons.items() if name == "passport"
    )
    assert not any("passport" in str(job.payload.get("scheme")) for job in plan.jobs)
    assert sum(one.cells for one in plan.kept_apart()) == 2 + 4


@pytest.mark.parametrize(
    ("architecture", "layers"),
    [
        ("convnet", {"normalised convolutions", "batch normalisation"}),
        ("convnet(norm=group)", {"normalised convolutions"}), ("lenet", set()), ("vit", set()), ("another's", None),
    ],
)  # fmt: skip
def test_the_layers_of_an_architecture_are_known_by_its_name(architecture: str, layers: set[str] | None) -> None:
    assert layers_of(architecture) == layers
