"""What a thief gets: of a release no more than it grants and his attack declares, and everything he uses is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attacks.copies.extraction import Extract
from attacks.prune import Prune
from benchmark.contract import Access, Attack, AttackResult, Data, Insider, NotApplicable, OracleAttack, Scheme, Thief
from benchmark.data.splits import Holdings
from benchmark.protocol.objects import Release
from benchmark.protocol.parties import stream
from benchmark.protocol.steps import benchmark_of, steal, useful
from benchmark.protocol.thief import UndeclaredAccess
from benchmark.vocabulary import ACCESS, may
from schemes.adi import Adi


@dataclass(frozen=True)
class Modest(Attack):
    """Declares that labels are enough, and uses `uses`."""

    name = "modest"
    access = "labels"

    uses: Access = "weights"

    def run(self, thief: Thief) -> nn.Module | AttackResult:
        if self.uses == "weights":
            return thief.model
        thief.ask(thief.inputs.float() / 255, self.uses)
        return AttackResult()


@dataclass(frozen=True)
class Greedy(Modest):
    """Declares weights."""

    name = "greedy"
    access = "weights"


@dataclass(frozen=True)
class Told(OracleAttack):
    """Is told the key, and declares that it needs no model."""

    name = "told"
    access = "none"

    def run(self, thief: Insider) -> nn.Module:
        return thief.model


BOUGHT: list[torch.Tensor] = []


@dataclass(frozen=True)
class Buy(Attack):
    """Writes down the labels that it buys; wreck: and leaves a net that gives one label to all."""

    name = "buy"

    wreck: bool = False

    def run(self, thief: Thief) -> nn.Module:
        BOUGHT.append(thief.annotated.y.clone())
        for parameter in thief.model.parameters():
            parameter.data *= not self.wreck
        return thief.model


def stolen(lab: Any, *stages: Attack, grants: Access = "weights", key: Any = None) -> Any:
    release = Release(lab.null(100).service, grants)
    return steal(stages, lab.context, lab.splits.thief, 0, release, Adi(), key)


@pytest.mark.parametrize("grants", ACCESS)
@pytest.mark.parametrize("uses", ["probabilities", "outputs", "weights"])
def test_whoever_declares_labels_and_uses_more_is_told_which_trait_to_write(
    lab: Any, grants: Access, uses: Access
) -> None:
    sentence = f'^modest declares access = "labels" and uses {uses}: write access = "{uses}" in its class$'
    with pytest.raises(UndeclaredAccess, match=sentence):
        stolen(lab, Modest(uses), grants=grants)


def test_whoever_declares_labels_gets_labels(lab: Any) -> None:
    _, _, cost = stolen(lab, Modest("labels"))
    assert cost.queries == len(lab.splits.thief)


@pytest.mark.parametrize("grants", ["labels", "probabilities", "outputs"])
def test_where_the_release_grants_less_than_declared_the_attack_does_not_apply(lab: Any, grants: Access) -> None:
    with pytest.raises(NotApplicable, match=f"^the release grants {grants}, this attack needs weights$"):
        stolen(lab, Greedy(), grants=grants)


@pytest.mark.parametrize("grants", ACCESS)
@pytest.mark.parametrize("attack", [Modest(), Greedy()], ids=lambda attack: attack.name)
def test_a_thiefs_grants_are_the_smaller_of_both(lab: Any, grants: Access, attack: Attack) -> None:
    running = lab.null(100).service.running()
    thief = Thief(lab.context, lab.splits.thief, stream("t"), running, grants, attack=attack)
    for use in ACCESS:
        assert may(thief.grants, use) == (may(grants, use) and may(attack.access, use)), use


def test_each_stage_of_a_chain_is_held_to_its_own_declaration(lab: Any) -> None:
    """A net of his own making lies open to the thief, to attacks that declare that they look into it."""
    service, _, _ = stolen(lab, Extract(epochs=1), Prune(1.0), grants="labels")
    assert not service.net.state["head.weight"].any()
    with pytest.raises(UndeclaredAccess, match="modest declares"):
        stolen(lab, Prune(), Modest())
    with pytest.raises(UndeclaredAccess, match="modest declares"):
        stolen(lab, Modest(), Prune())


def test_being_told_the_key_does_not_open_the_model(lab: Any) -> None:
    with pytest.raises(UndeclaredAccess, match="told declares"):
        stolen(lab, Told(), key=lab.embed(Adi()).key)


def test_a_capability_that_was_asked_for_is_there_or_the_attack_does_not_apply(lab: Any) -> None:
    class Wordless(Scheme):
        name = "wordless"
        keygen = embed = observe = rebind = None  # type: ignore[assignment]

    class Forger(Modest):
        name = "forger"
        requires = "triggers"

    def thief(scheme: Any) -> Thief:
        return Thief(lab.context, lab.splits.thief, stream("t"), None, "none", attack=Forger(), scheme=scheme)

    assert thief(Adi()).scheme == Adi()
    with pytest.raises(NotApplicable, match=r"^forger needs a scheme with triggers, and wordless has none$"):
        _ = thief(Wordless()).scheme


def test_a_thief_plays_owner_with_images_of_his_choice(lab: Any) -> None:
    thief = Thief(lab.context, lab.splits.thief, stream("t"), None, "none", scheme=Adi())
    bought = Data(thief.inputs, torch.zeros(len(lab.splits.thief), dtype=torch.long))
    assert thief.as_owner(data=bought).data is bought
    assert thief.cost.labelled == 0
    assert torch.equal(thief.as_owner().data.y, lab.splits.thief.y)
    assert thief.cost.labelled == len(lab.splits.thief)


def few_labels(lab: Any) -> Holdings:
    pool = lab.splits.thief
    return Holdings(pool.take(torch.arange(20)), pool.x[20:70])


def test_a_thief_of_few_labels_has_them_for_those_images_alone(lab: Any) -> None:
    images = few_labels(lab)
    thief = Thief(lab.context, images, stream("t"), lab.null(100).service.running(), "labels")
    assert torch.equal(thief.data.y, lab.splits.thief.y[:20])
    assert (thief.cost.labelled, thief.cost.unlabelled) == (20, 0)
    assert torch.equal(thief.inputs, lab.splits.thief.x[:70])
    assert (thief.cost.labelled, thief.cost.unlabelled, thief.cost.queries) == (20, 70, 0)


def test_the_labels_that_a_thief_lacks_are_bought_of_the_service(lab: Any) -> None:
    running = lab.null(100).service.running()
    thief = Thief(lab.context, few_labels(lab), stream("t"), running, "labels", scheme=Adi())
    found = thief.as_owner().data
    assert torch.equal(found.x, lab.splits.thief.x[:70])
    assert torch.equal(found.y[:20], lab.splits.thief.y[:20])
    assert torch.equal(found.y[20:], running.ask(lab.splits.thief.images()[20:70], "labels"))
    assert (thief.cost.labelled, thief.cost.unlabelled, thief.cost.queries) == (20, 70, 50)
    assert thief.annotated is found  # bought once
    without = Thief(lab.context, Holdings(found.take(torch.arange(0)), found.x), stream("t"), running, "labels")
    assert len(without.annotated) == 70
    with pytest.raises(NotApplicable, match=r"^the attack needs labelled images, and this thief has none$"):
        _ = without.data
    alone = Thief(lab.context, few_labels(lab), stream("t"), None, "none")
    with pytest.raises(NotApplicable, match=r"^the release grants none, this attack needs labels$"):
        _ = alone.annotated


def test_a_later_stage_buys_the_labels_of_the_stolen_service(lab: Any) -> None:
    """Not those of what the stages before have left of the copy."""
    release = Release(lab.null(100).service, "weights")
    BOUGHT.clear()
    *_, cost = steal([Buy(wreck=True), Buy()], lab.context, few_labels(lab), 0, release, Adi())
    assert torch.equal(BOUGHT[0], BOUGHT[1])
    assert len(BOUGHT[0].unique()) > 1
    assert cost.queries == 100


def test_what_an_attack_cost_is_measured_by_own_labels_else_by_the_release(lab: Any) -> None:
    release, pool = lab.null(100).service, lab.splits.thief
    held_out = Holdings(pool.take(torch.arange(5)), pool.x[5:45])
    measure = benchmark_of(release, held_out, lab.context)
    assert torch.equal(measure.y[:5], pool.y[:5])
    assert torch.equal(measure.x, pool.x[:45])
    assert useful(release, measure, lab.context)["correct"][5:] == "1" * 40
    other = useful(lab.null(101).service, measure, lab.context)["correct"][5:]
    answers = [one.running().ask(pool.images()[5:45], "labels") for one in (release, lab.null(101).service)]
    assert other == "".join(str(int(same)) for same in answers[0] == answers[1])


def test_minimise_takes_the_steps_of_adam_and_counts_them(lab: Any) -> None:
    thief = Thief(lab.context, lab.splits.thief, stream("t"), None, "none")
    mine, its = (torch.zeros(3, requires_grad=True) for _ in range(2))
    wanted = torch.tensor([1.0, -2.0, 0.5])
    thief.minimise(lambda: F.mse_loss(mine, wanted), [mine], 20, 0.1, images=7)
    adam = torch.optim.Adam([its], 0.1)
    for _ in range(20):
        adam.zero_grad()
        F.mse_loss(its, wanted).backward()
        adam.step()
    assert torch.equal(mine, its)
    assert (thief.meter.steps, thief.meter.samples) == (20, 140)


def test_minimise_by_sign_moves_every_number_alike_and_is_brought_back(lab: Any) -> None:
    thief = Thief(lab.context, lab.splits.thief, stream("t"), None, "none")
    x, slopes = torch.zeros(3, requires_grad=True), torch.tensor([5.0, -1e-6, 0.0])
    thief.minimise(lambda: (x * slopes).sum(), [x], 4, 0.25, rule="sign")
    assert x.tolist() == [-1.0, 1.0, 0.0]
    thief.minimise(lambda: (x * slopes).sum(), [x], 4, 0.25, rule="sign", project=lambda one: one.clamp(-1.5, 1.25))
    assert x.tolist() == [-1.5, 1.25, 0.0]
