"""The contract suite: what must hold of every scheme and every attack that is registered."""

from __future__ import annotations

import dataclasses
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import Exhibit, Lab

from benchmark import contract
from benchmark.contract import (
    Attack,
    CarrierScheme,
    ExtractorScheme,
    NotApplicable,
    OracleAttack,
    OverwriteScheme,
    PassportScheme,
    Scheme,
    Thief,
    TriggerScheme,
)
from benchmark.planning.profile import LEAST_NULLS
from benchmark.plugins.registry import Registry, load
from benchmark.plugins.selection import Setting, select_attacks, select_schemes
from benchmark.protocol.objects import Release, Service
from benchmark.protocol.parties import stream
from benchmark.protocol.steps import steal, useful
from benchmark.store import artefacts
from benchmark.vocabulary import CLAIM_KINDS
from leaderboard.judge.evidence import weigh

REGISTRY = Registry.discover()
SCHEMES = select_schemes("all", REGISTRY)
# one setting of each attack, and those that take another way through its code
ATTACKS = select_attacks(
    "all,finetune(mode=rtal),quantize(bits=8,activations=true),rearrange(how=fold),transfer(task=shapes),"
    "distill(architecture=resnet8),fake1(passports=trained),surrogate(loss=adversarial),surrogate(loss=perceptual)",
    REGISTRY,
)
ALPHA = 1e-3


@cache
def made(label: str) -> Any:
    """The plug-in instance behind a label."""
    setting = next(one for one in (*SCHEMES, *ATTACKS) if one.label == label)
    return _instance(setting)


def _instance(setting: Setting, **changed: Any) -> Any:
    (stage,) = setting.stages
    return load(stage.declaration)(**(stage.parameters | changed))


def expected_failure(label: str) -> str | None:
    """Why the fresh mark of a scheme's setting is not found for every seed."""
    (stage,) = next(one for one in SCHEMES if one.label == label).stages
    return stage.declaration.expected("expected_failures", stage.parameters)


def expected_forgery(label: str) -> str | None:
    """Why a forged claim on a scheme's setting stands."""
    (stage,) = next(one for one in SCHEMES if one.label == label).stages
    return stage.declaration.expected("expected_forgeries", stage.parameters)


def short(setting: Setting) -> Any:
    """The same plug-in with as little training as it allows: enough to see whether a seed reproduces."""
    fields = {one.name for one in setting.stages[0].declaration.parameters}
    return _instance(setting, **dict.fromkeys(fields & {"epochs", "tuning", "steps", "rounds"}, 1))


def same(one: Service, other: Service) -> bool:
    return len(one.parts) == len(other.parts) and all(
        part.spec == twin.spec and all(torch.equal(tensor, twin.state[name]) for name, tensor in part.state.items())
        for part, twin in zip(one.parts, other.parts, strict=True)
    )


def setting_of(label: str) -> Setting:
    return next(one for one in (*SCHEMES, *ATTACKS) if one.label == label)


schemes = pytest.mark.parametrize("label", [setting.label for setting in SCHEMES])
attacks = pytest.mark.parametrize("label", [setting.label for setting in ATTACKS])


@pytest.fixture
def lab(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """The lab of the first kind of task that the plug-in under test serves."""
    label = getattr(request.node, "callspec", None) and request.node.callspec.params["label"]
    if label and setting_of(label).tasks[0] == "image-to-image":
        return request.getfixturevalue("image_lab")
    return lab


@pytest.fixture
def nulls(lab: Lab) -> list[Exhibit]:
    return [lab.null(index) for index in range(LEAST_NULLS[lab.context.task.kind])]


def test_every_name_of_the_contract_stands_in_its_table() -> None:
    assert set(contract.__all__) <= set(re.findall(r"\w+", str(contract.__doc__)))


def test_nothing_registered_is_broken() -> None:
    assert REGISTRY.broken == ()
    assert {one.name for one in REGISTRY.schemes} >= {"adi", "rose", "passport"}
    families = {one.traits["family"] for one in REGISTRY.attacks}
    assert len(families) >= 7, families


@schemes
def test_the_fresh_mark_is_present_and_an_innocent_model_is_not_accused(
    lab: Lab, nulls: list[Exhibit], label: str
) -> None:
    scheme: Scheme = made(label)
    exhibit = lab.embed(scheme)
    law = stated_law(lab, label)
    drawn = law is not None and law["kind"] == "redrawn"
    few = nulls if law is None else nulls[:8]  # where the verdict rests on fresh keys, nulls stand beside it
    pools = {"clean": [lab.observe(scheme, null, exhibit.key) for null in few]}
    fresh = weigh(lab.observe(scheme, exhibit), pools, ALPHA)
    if not expected_failure(label):
        assert fresh.state == "present"
        enough = math.log10(ALPHA) if drawn else -6  # redrawn keys are ranked, and 999 at most
        assert fresh.log10_p_key is None or fresh.log10_p_key <= enough
    clean = lab.null(len(nulls))
    innocent = weigh(lab.observe(scheme, clean, exhibit.key), pools, ALPHA)
    assert innocent.state != "present"
    assert innocent.n == fresh.n
    assert exhibit.accuracy >= clean.accuracy - (1.0 if scheme.court == "outputs" else 0.05)  # dB, or share


@pytest.mark.parametrize("label", [setting.label for setting in SCHEMES if expected_failure(setting.label)])
def test_what_is_declared_to_fail_does_for_some_seed(lab: Lab, nulls: list[Exhibit], label: str) -> None:
    scheme: Scheme = made(label)

    def found(replicate: int) -> bool:
        exhibit = lab.embed(scheme, replicate)
        seen = lab.observe(scheme, exhibit)
        if seen["channels"][seen["evidence"]].get("law") and weigh(seen, {}, ALPHA).state != "present":
            return False  # whatever unmarked nets show
        pool = [lab.observe(scheme, null, exhibit.key) for null in nulls[:8]]
        return weigh(seen, {"clean": pool}, ALPHA).state == "present"

    assert not all(map(found, (4, 5, 3, 2, 1, 0)))  # one that was seen to fail is tried first


@pytest.mark.parametrize("label", [setting.label for setting in SCHEMES if expected_forgery(setting.label)])
def test_a_forgery_that_is_declared_stands(lab: Lab, nulls: list[Exhibit], label: str) -> None:
    """With the forger's own key: his bits are in the marked net, in no other, and its accuracy stays."""
    scheme: Scheme = made(label)
    forgers = [one for one in ATTACKS if one.kind == "ambiguity" and one.requires & set(scheme.capabilities)]

    def stands(forger: Setting) -> bool:
        marked = lab.embed(scheme)
        claim = lab.attack(made(forger.label), marked, scheme).key
        seen = lab.observe(scheme, marked, claim)
        pool = [lab.observe(scheme, null, claim) for null in nulls]
        kept = all(gate["before"].count("1") - gate["after"].count("1") <= 4 for gate in seen["gates"].values())
        return kept and weigh(seen, {"clean": pool}, ALPHA).state == "present" and scheme.admissible(claim).bound

    assert any(stands(forger) for forger in forgers)


@schemes
def test_items_of_the_key_are_items_scored(lab: Lab, label: str) -> None:
    """Enough items in every channel, one outcome of a gate per probe image, and the same items for any suspect."""
    scheme: Scheme = made(label)
    seen = lab.observe(scheme, lab.embed(scheme))

    def sizes(observation: dict[str, Any]) -> dict[str, int]:
        return {name: len(one.get("hits", one.get("values"))) for name, one in observation["channels"].items()}

    assert sizes(seen) == sizes(lab.observe(scheme, lab.null(0), lab.embed(scheme).key))
    assert seen["evidence"] in sizes(seen)
    assert min(sizes(seen).values()) >= 40
    for gate in seen["gates"].values():
        assert len(gate["before"]) == len(gate["after"]) == len(lab.splits.test)


def stated_law(lab: Lab, label: str) -> dict[str, Any] | None:
    """The law of a fresh key that an observation of a scheme's setting states."""
    scheme: Scheme = made(label)
    seen = lab.observe(scheme, lab.embed(scheme))
    law: dict[str, Any] | None = seen["channels"][seen["evidence"]].get("law")
    return law


@schemes
def test_the_law_of_a_fresh_key_is_the_one_declared(lab: Lab, label: str) -> None:
    """Of a scheme's settings some may know less: they state no law, and can draw no fresh key. Not all of them do.

    Where fresh keys are redrawn, a setting may know more, and state a closed form.
    """
    scheme: Scheme = made(label)
    exhibit = lab.embed(scheme)
    law = stated_law(lab, label)
    closed: set[str] = {"binomial", "poisson-binomial"}
    kinds = {"exact": closed, "redrawn": {"redrawn", *closed}, "none": set()}[scheme.null_law]
    if law is None:
        siblings = [one.label for one in SCHEMES if type(made(one.label)) is type(scheme)]
        assert not kinds or any(stated_law(lab, one) for one in reversed(siblings))
        with pytest.raises(NotApplicable):
            scheme.redraw(exhibit.key, stream("redraw"))
    else:
        assert law["kind"] in kinds
        assert scheme.admissible(scheme.redraw(exhibit.key, stream("redraw"))).bound


@schemes
def test_the_key_is_admissible_and_survives_storage(lab: Lab, tmp_path: Path, label: str) -> None:
    scheme: Scheme = made(label)
    exhibit = lab.embed(scheme)
    found = scheme.admissible(exhibit.key)
    assert found.well_formed
    assert found.bound
    path = tmp_path / "x.key.safetensors"
    checksum = artefacts.write(path, "x", exhibit.key)
    again = artefacts.read_key(path, "x", checksum, scheme.key_type)
    assert type(again) is type(exhibit.key)
    assert scheme.admissible(again) == found
    assert artefacts.write(tmp_path / "y.key.safetensors", "x", again) == checksum  # so every field is what it was


@schemes
def test_a_key_with_another_secret_is_inadmissible(lab: Lab, label: str) -> None:
    """Whatever is bound to the secret stops fitting when the secret changes."""
    scheme: Scheme = made(label)
    key = lab.embed(scheme).key
    found = scheme.admissible(dataclasses.replace(key, secret=bytes(32)))
    assert found.well_formed
    assert found.bound == (not found.hash_bound)  # bits that a claimant declares hang on no secret


@schemes
def test_a_seed_reproduces_and_leaves_the_host_alone(lab: Lab, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemes.deepmodel.ATTEMPTS", 1)  # after one epoch each of them would fail
    scheme: Scheme = short(next(one for one in SCHEMES if one.label == label))
    lab = lab.hasty()
    owner = lab.owner(scheme)
    host = {name: tensor.clone() for name, tensor in owner.host.state_dict().items()} if scheme.host else {}
    pixels = owner.data.x.clone()
    first, second = lab.embed_afresh(scheme), lab.embed_afresh(scheme)
    assert same(first.service, second.service)
    assert torch.equal(first.right, second.right)
    assert all(torch.equal(tensor, owner.host.state_dict()[name]) for name, tensor in host.items())
    assert torch.equal(owner.data.x, pixels)


@schemes
def test_owner_and_thief_with_equal_seeds_draw_different_keys(lab: Lab, label: str) -> None:
    scheme: Scheme = made(label)
    task = lab.context.task.name
    owner = lab.owner(scheme)
    mine = scheme.keygen(owner, stream(0, "owner-key", scheme.name, task))
    again = scheme.keygen(lab.owner(scheme), stream(0, "owner-key", scheme.name, task))
    theirs = scheme.keygen(owner, stream(0, "thief", "fresh-key", task))
    assert mine.secret == again.secret
    assert mine.secret != theirs.secret


@schemes
def test_capabilities_are_what_they_are_called(label: str) -> None:
    scheme: Scheme = made(label)
    assert ("triggers" in scheme.capabilities) == isinstance(scheme, TriggerScheme)
    assert ("overwrite" in scheme.capabilities) == isinstance(scheme, OverwriteScheme)
    assert ("carriers" in scheme.capabilities) == isinstance(scheme, CarrierScheme)
    assert ("passports" in scheme.capabilities) == isinstance(scheme, PassportScheme)
    assert ("extractor" in scheme.capabilities) == isinstance(scheme, ExtractorScheme)


def target(lab: Lab, attack: Attack) -> tuple[Scheme, Exhibit]:
    """A scheme that the attack applies to, and its marked model."""
    if attack.tasks[0] == "image-to-image":
        scheme = short(next(one for one in reversed(SCHEMES) if one.tasks == ("image-to-image",)))  # the shorter one
        return scheme, lab.embed(scheme)
    name = {"carriers": "keynet", "passports": "passport", "": "adi"}.get(attack.requires, "adi")
    setting = next(one for one in SCHEMES if one.stages[0].declaration.name == name)
    return made(setting.label), lab.embed(made(setting.label))


@attacks
def test_an_attack_reproduces_from_what_it_declares_and_leaves_the_stolen_model_alone(
    lab: Lab, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once with all that the scheme releases, and once with no more than it declares: both end alike."""
    monkeypatch.setattr("schemes.deepmodel.ATTEMPTS", 1)  # after one epoch each of them would fail
    attack: Attack = short(next(one for one in ATTACKS if one.label == label))
    scheme, exhibit = target(lab, attack)
    lab = lab.hasty()
    before = {name: tensor.clone() for name, tensor in exhibit.service.net.state.items()}
    images = lab.splits.thief.x.clone()
    first = lab.attack_afresh(attack, exhibit, scheme)
    release = Release(exhibit.service, "labels" if attack.access == "none" else attack.access)
    told = exhibit.key if isinstance(attack, OracleAttack) else None
    service, claim, cost = steal([attack], lab.context, lab.splits.thief, 0, release, scheme, told)
    assert same(first.service, service)
    assert first.cost == cost
    assert all(torch.equal(tensor, exhibit.service.net.state[name]) for name, tensor in before.items())
    assert torch.equal(lab.splits.thief.x, images)
    each = next(iter(useful(service, lab.splits.test, lab.context).values()))
    assert len(each) == len(lab.splits.test)
    assert (first.key is not None) == (claim is not None) == (attack.kind in CLAIM_KINDS)


@pytest.mark.parametrize("label", [setting.label for setting in ATTACKS if setting.evidence])
def test_the_channel_that_an_attack_names_is_observed_and_shows_the_fresh_mark(lab: Lab, label: str) -> None:
    scheme, exhibit = target(lab, made(label))
    seen = lab.observe(scheme, exhibit)
    channel = seen["channels"][setting_of(label).evidence]
    assert len(channel["hits"]) == len(seen["channels"][seen["evidence"]]["hits"])
    assert channel["hits"].count("0") == 0
    assert "law" in channel


def test_a_release_gives_no_more_than_it_grants(lab: Lab) -> None:
    exhibit = lab.null(0)
    thief = Thief(lab.context, lab.splits.thief, stream("t"), exhibit.service.running(), "labels")
    images = lab.splits.thief.images()[:5]
    assert thief.ask(images, "labels").shape == (5,)
    assert thief.cost.queries == 5
    with pytest.raises(NotApplicable, match="grants labels, this attack needs probabilities"):
        thief.ask(images)
    with pytest.raises(NotApplicable, match="grants labels, this attack needs weights"):
        _ = thief.model
    with pytest.raises(NotApplicable, match="no scheme to imitate"):
        _ = thief.scheme


def test_run_is_all_that_an_attack_may_override() -> None:
    for declaration in REGISTRY.attacks:
        assert load(declaration).__call__ is Attack.__call__, declaration.name
