"""The stages of a chain: nothing passes from one to the next but the service, its grants and the cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from benchmark.contract import Attack, AttackResult, Data, Thief
from benchmark.protocol.objects import Release
from benchmark.protocol.parties import Party, stream
from benchmark.protocol.scheme import Scheme
from benchmark.protocol.steps import embed, steal, train_unmarked, utility
from leaderboard.stats.utility_test import compare, does_the_job
from schemes.adi import Adi
from schemes.passport import Passport

SEEN: list[tuple[Any, ...]] = []


@dataclass(frozen=True)
class Look(Attack):
    """Writes down what it was given."""

    name = "look"

    def run(self, thief: Thief) -> AttackResult:
        SEEN.append((thief.data.x.clone(), thief.data.y.clone(), thief.scheme.n, list(thief.context.recipe.drops)))
        return AttackResult()


@dataclass(frozen=True)
class Spoil(Attack):
    """Changes in place whatever it can reach, and returns nothing."""

    name = "spoil"

    def run(self, thief: Thief) -> AttackResult:
        thief.inputs.zero_()
        thief.data.y.fill_(3)
        object.__setattr__(thief.scheme, "n", 1)
        object.__setattr__(thief.context.recipe, "drops", [0.1])
        for parameter in thief.model.parameters():
            parameter.data.zero_()
        return AttackResult()


@pytest.mark.parametrize("stages", [(Spoil(), Look()), (Look(), Spoil(), Look())], ids=["two", "three"])
def test_what_a_stage_changes_in_place_is_its_own(lab: Any, stages: tuple[Attack, ...]) -> None:
    service, scheme, data = lab.null(100).service, Adi(), lab.splits.thief
    images, labels, drops = data.x.clone(), data.y.clone(), list(lab.context.recipe.drops)
    SEEN.clear()
    left, _, cost = steal(stages, lab.context, data, 0, Release(service, "weights"), scheme)
    for x, y, n, given in SEEN:
        assert torch.equal(x, images)
        assert torch.equal(y, labels)
        assert (n, given) == (Adi().n, drops)
    assert len(SEEN) == len(stages) - 1
    assert torch.equal(data.x, images)
    assert torch.equal(data.y, labels)
    assert (scheme.n, list(lab.context.recipe.drops)) == (Adi().n, drops)
    assert all(torch.equal(tensor, left.net.state[name]) for name, tensor in service.net.state.items())
    assert cost.record() == {
        "labelled": len(data), "unlabelled": len(data), "queries": 0, "steps": 0, "samples": 0, "operations": 0,
    }  # fmt: skip


def test_an_unmarked_net_is_trained_as_long_as_it_is_told_in_whole_epochs_and_never_less_than_a_host(lab: Any) -> None:
    recipe, data = lab.context.recipe, lab.splits.owner
    epoch = len(data) // recipe.batch * recipe.batch
    wanted, seen = int(1.37 * recipe.epochs * epoch), {}
    for samples in (0, epoch, wanted):
        party = Party(lab.context, data, stream(100, "null", lab.context.task.name, lab.context.architecture))
        service = train_unmarked(party, samples)
        seen[samples] = party.meter.samples
        if samples < wanted:
            known = lab.null(100).service.net.state
            assert all(torch.equal(one, known[name]) for name, one in service.net.state.items())
    assert seen[0] == seen[epoch] == recipe.epochs * epoch
    assert seen[wanted] % epoch == 0
    assert abs(seen[wanted] - wanted) <= epoch / 2


@pytest.mark.parametrize(
    ("scheme", "used"), [(Adi(epochs=1), False), (Adi(mode="finetune", epochs=1), True), (Passport(epochs=1), False)]
)
def test_a_net_is_made_from_its_host_where_embedding_asks_for_it(lab: Any, scheme: Scheme, used: bool) -> None:
    """Passports are drawn by the host, and their net is trained from nothing."""
    owner = lab.owner(scheme)
    embed(scheme, owner, stream("key"))
    assert owner.used_host is used


def test_a_net_of_zeros_does_nothing_on_a_task_of_which_nearly_all_are_one_class(lab: Any) -> None:
    """97 zeros and 3 ones: it loses 3 points of 100 against a net that is always right, within a budget of 10."""
    digits = lab.splits.owner
    places = torch.cat([(digits.y == 0).nonzero()[:97], (digits.y == 1).nonzero()[:3]]).flatten()
    test = Data(digits.x[places], digits.y[places])
    zeros = utility(torch.eye(10)[torch.zeros(len(test), dtype=torch.long)], test)
    right = utility(torch.eye(10)[test.y.cpu()], test)
    assert zeros["majority"] == zeros["correct"] == right["majority"] == "1" * 97 + "0" * 3
    assert (does_the_job(zeros), does_the_job(right)) == (False, True)
    assert compare(right, {"correct": zeros["correct"]}, 10.0, "points").state == "kept"
    assert compare(right, zeros, 10.0, "points").state == "lost"
