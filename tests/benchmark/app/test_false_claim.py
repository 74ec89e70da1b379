"""A false claim in the plan and in `bench verify`: a thief's own key, held against a model that nobody marked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from bench import PROFILE, bench_here, records

from benchmark.app.card import read_card, write_card
from benchmark.app.standalone_files import peek
from benchmark.contract import Net, conv_blocks
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.protocol.objects import Service
from benchmark.store import artefacts
from schemes.passport import Passport
from schemes.passport_key import PassportKey

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


def test_a_delivered_model_that_was_made_for_the_accused_gains_nothing(finished: Path, tmp_path: Path) -> None:
    """The accused's own filters, turned in each channel whose bit is wrong: aligned to them it shows all bits. The card
    that names them is younger than the accused, so the claim without commitment is the one that counts."""
    setting, own = ("--profile", str(PROFILE), "--device", "cpu"), tmp_path / "own"
    assert bench_here("embed", "--scheme", "passport", "--out", str(own), "--seed", "1", *setting)[0] == 0
    (null,) = (id for id, one in records(finished).items() if one["kind"] == "null" and one["job"]["index"] == 16)
    accused = finished / "store" / "artefacts" / null[:2] / f"{null}.service.safetensors"
    model, key = own / "model.safetensors", own / "key.safetensors"

    def verified() -> Any:
        files = ("--model", str(accused), "--key", str(key), "--results", str(finished))
        code, said, error = bench_here("verify", "--scheme", "passport", *files, *setting, "--json")
        assert code == 0, error
        return json.loads(said)

    before = verified()
    secret = artefacts.read_key(key, peek(key).job, peek(key).sha256, PassportKey)
    assert isinstance(secret, PassportKey)
    net = artefacts.read_service(accused, null, peek(accused).sha256).net.module()
    blocks = dict(conv_blocks(net))
    with torch.no_grad():
        for (name, block), sign in zip(Passport().install(net, secret).blocks(), Passport().signs(secret), strict=True):
            turn = torch.where(block.derived()[0] * sign > 0, 1.0, -1.0)
            norm = blocks[name].norm
            blocks[name].conv.weight.mul_(turn[:, None, None, None])
            assert isinstance(norm.running_mean, torch.Tensor)
            norm.running_mean.mul_(turn)
            norm.weight.mul_(turn)
    digest = artefacts.write(model, "embed", Service(Net.of(net)))
    card = read_card(own)
    assert card is not None
    write_card(own, replace(card, files={**card.files, model.name: digest}))
    after = verified()
    assert {name for name in after if after[name] != before[name]} == {"verdict", "evidence", "claim_reason"}
    assert after["without_commitment"]["verdict"] == "absent"
    assert after["without_commitment"]["claim"] == "refused"
