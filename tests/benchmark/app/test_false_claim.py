"""A false claim in the plan and on the board: a thief's own key, held against a model that nobody marked."""

from __future__ import annotations

from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

REGISTRY = Registry.discover(())


def test_the_thief_is_given_an_innocent_model_and_his_key_is_tried_on_it() -> None:
    profile = load_profile("quick").with_options(seeds=1)
    attacks = select_attacks("false-head,forged-head", REGISTRY)
    plan = make_plan(profile, select_schemes("keynet(),adi()", REGISTRY), attacks, {})
    jobs = {job.id: job for job in plan.jobs}
    cells = {(one.scheme.partition("(")[0], one.attack.partition("(")[0], one.innocent): one for one in plan.cells}
    false, forged = cells["keynet", "false-head", False], cells["keynet", "forged-head", False]
    target = jobs[jobs[false.jobs["attacked"]].payload["target"]]
    assert (target.kind, target.payload["index"]) == ("null", profile.nulls)
    assert target.id == false.jobs["innocent"] not in jobs[false.jobs["nulls"]].payload["suspects"]
    assert jobs[false.jobs["attacked"]].payload["grants"] == "weights"
    assert jobs[false.jobs["attacked"]].payload["scheme"]["name"] == "keynet"
    assert jobs[false.jobs["attacked"]].label.startswith("attacked unmarked ×")
    judged = jobs[false.jobs["judged"]].payload
    assert (judged["key"], judged["suspects"]) == (false.jobs["attacked"], [false.jobs["attacked"]])
    assert judged["ledger"] == [false.jobs["marked"]]
    assert jobs[jobs[forged.jobs["attacked"]].payload["target"]].kind == "marked"
    assert "claims with a key of its own" in (cells["keynet", "false-head", True].reason or "")
    assert "has none" in (cells["adi", "false-head", False].reason or "")
