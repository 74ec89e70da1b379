"""The key-oracle lane: attacks that are given the owner's key are a type, a process and a board of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from benchmark.contract import Attack, Insider, NotApplicable, OracleAttack, Recipe, Thief
from benchmark.errors import BenchError
from benchmark.execution.walls import side_of
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.plugins.source_reader import read_declarations
from schemes.adi import Adi

REGISTRY = Registry.discover()


@dataclass(frozen=True)
class Looking(Attack):
    """Takes a key wherever it finds one."""

    name = "looking"

    def run(self, thief: Thief) -> nn.Module:
        assert type(thief) is Thief
        assert not any("key" in name.lower() for name in vars(thief))
        return thief.model


@dataclass(frozen=True)
class Told(OracleAttack):
    """Answers every trigger with another label than the key's, whatever that costs."""

    name = "told"

    def run(self, thief: Insider) -> nn.Module:
        triggers = Adi().triggers(thief.key)
        triggers.y[:] = (triggers.y + 1) % thief.task.classes
        return thief.fit(thief.model, Recipe(epochs=60, lr=0.05), data=triggers.to(thief.device))


def test_only_an_oracle_attack_is_shown_the_key(lab: Any) -> None:
    scheme, marked = Adi(), lab.embed(Adi())
    assert lab.total(lab.observe(scheme, lab.attack(Looking(), marked, scheme), marked.key)) >= 80
    assert lab.total(lab.observe(scheme, lab.attack(Told(), marked, scheme), marked.key)) <= 5


def test_an_oracle_attack_on_a_model_without_a_key_does_not_apply(lab: Any) -> None:
    with pytest.raises(NotApplicable, match="told is given the owner's key, and there is none"):
        lab.attack(Told(), lab.null(0), Adi())


@pytest.mark.parametrize(
    ("base", "kind", "words"),
    [
        ("Attack", "oracle-removal", "is given no key: derive from OracleAttack"),
        ("OracleAttack", "removal", "is given the owner's key: write one of oracle-removal, oracle-ambiguity"),
    ],
)
def test_type_and_kind_agree(tmp_path: Path, base: str, kind: str, words: str) -> None:
    path = tmp_path / "toy.py"
    path.write_text(f'class Toy({base}):\n    name = "toy"\n    family = "toys"\n    kind = "{kind}"\n')
    with pytest.raises(BenchError, match=words):
        read_declarations(path)


def test_only_jobs_of_the_lane_name_the_key_and_they_run_apart() -> None:
    attacks = select_attacks("none,fake2,fake3,fake3-oracle,prune(amount=0.5)+fake3-oracle", REGISTRY)
    plan = make_plan(load_profile("quick"), select_schemes("passport(version=v2)", REGISTRY), attacks, {})
    attacked = [job for job in plan.jobs if job.kind == "attacked"]
    told = [job for job in attacked if any(one["name"] == "fake3-oracle" for one in job.payload["stages"])]
    assert len(told) == 2
    for job in attacked:
        assert ("key" in job.payload) == (job in told)
        assert side_of(job.role) == ("insider" if job in told else "thief")
    assert {job.payload["key"] for job in told} == {job.payload["target"] for job in told}
    assert len({side_of(role) for role in ("owner", "thief", "insider", "court")}) == 3


@pytest.mark.parametrize(
    ("text", "kind", "claim"),
    [
        ("fake3-oracle", "oracle-ambiguity", True),
        ("prune+fake3-oracle", "oracle-ambiguity", True),
        ("prune+fake3", "ambiguity", True),
    ],
)
def test_one_stage_with_the_key_takes_the_chain_to_the_lane(text: str, kind: str, claim: bool) -> None:
    (setting,) = select_attacks(text, REGISTRY)
    assert (setting.kind, setting.claim, setting.oracle) == (kind, claim, kind.startswith("oracle"))
