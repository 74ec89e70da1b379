"""What is measured is what the tables say: every attack a stranger, and a selection of what there is."""

from __future__ import annotations

from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

from .isolation_cost import ATTACKS, SCHEMES, strangers


def test_every_built_in_attack_is_a_stranger() -> None:
    trusted = {one.origin for one in Registry.discover().attacks}
    assert trusted == {"built-in"}
    assert {one.origin for one in Registry.discover(strangers()).attacks} == {"plugin"}


def test_the_selection_is_known_and_each_attack_once() -> None:
    registry = Registry.discover()
    assert len(select_schemes(SCHEMES, registry)) == 5
    names = [setting.label.partition("(")[0] for setting in select_attacks(ATTACKS, registry)]
    assert len(names) == len(set(names)) == 25
