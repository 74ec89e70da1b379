"""The sets of attacks: every member is one setting that its label selects again, and they are of the kinds meant."""

from __future__ import annotations

import pytest

from benchmark.plugins.attack_sets import AUTO, PRESETS, STANDARD
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import Setting, select_attacks
from benchmark.vocabulary import ATTACK_KINDS

REGISTRY = Registry.discover()
THIEVES = {"removal", "function-preserving", "evasion", "extraction"}  # who wants to be rid of a mark


def members(name: str) -> tuple[Setting, ...]:
    return select_attacks(name, REGISTRY)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, some in PRESETS.items() for text in some])
def test_every_member_is_one_setting_that_its_label_selects_again(name: str, text: str) -> None:
    (setting,) = select_attacks(text, REGISTRY)
    assert setting in members(name)
    assert select_attacks(setting.label, REGISTRY) == (setting,)


@pytest.mark.parametrize("name", PRESETS)
def test_no_member_is_there_twice(name: str) -> None:
    assert len({one.label for one in members(name)}) == len(PRESETS[name])


def test_standard_is_about_twenty_with_controls_chains_and_every_kind_of_thief() -> None:
    found = members("standard")
    assert 18 <= len(STANDARD) <= 30
    assert {one.kind for one in found} >= THIEVES | {"control", "ambiguity"}
    assert sum(len(one.stages) > 1 for one in found) >= 5


def test_auto_is_of_thieves_alone_who_know_no_key_on_both_kinds_of_task() -> None:
    found = members("auto")
    assert {one.kind for one in found} <= THIEVES < set(ATTACK_KINDS)
    assert {kind for one in found for kind in one.tasks} == {"classification", "image-to-image"}
    assert len({one.stages[0].declaration.traits["family"] for one in found}) >= 6, "auto is of one mind"


def test_sets_mix_with_other_items_each_setting_once() -> None:
    labels = [one.label for one in select_attacks("auto,none,auto", REGISTRY)]
    assert labels == [*(one.label for one in members("auto")), "none"]
    assert len(AUTO) + 1 == len(labels)
