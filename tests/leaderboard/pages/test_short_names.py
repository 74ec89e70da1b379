"""Short names and slugs: what tells settings apart, nothing twice, and nothing but letters in an address."""

from __future__ import annotations

import re
from typing import Any

import pytest

from leaderboard.pages.short_names import Names, names, slugs


def schemes(case: Any, *settings: tuple[str, dict[str, Any]]) -> Names:
    """The names of a board of settings of the plug-in `toy`, by label."""
    for label, parameters in settings:
        case.row(label)
        case.run["schemes"][-1] |= {"name": "toy", "parameters": parameters}
    return names(case.board())


def test_a_setting_is_called_by_what_tells_it_from_the_others(case: Any) -> None:
    found = schemes(
        case,
        ("a", {"version": "v1", "n": 100, "signed": False, "lr": 0.1}),
        ("b", {"version": "v1", "n": 100, "signed": True, "lr": 0.1}),
        ("c", {"version": "v2", "n": 100, "signed": False, "lr": 0.5}),
        ("d", {"version": "v2", "n": 40, "signed": True, "lr": 0.1}),
    )
    assert list(found.schemes.values()) == ["toy v1", "toy v1 signed", "toy v2", "toy v2 n=40 signed"]


def test_the_only_setting_bears_its_plain_name(case: Any) -> None:
    assert list(schemes(case, ("toy(n=7)", {"n": 7})).schemes.values()) == ["toy"]


def test_what_no_parameter_tells_apart_keeps_its_label(case: Any) -> None:
    assert schemes(case, ("x", {"n": 7}), ("y", {"n": 7}), ("z", {"n": 8})).schemes == {
        "x": "x", "y": "y", "z": "toy n=8",
    }  # fmt: skip


def test_the_stages_of_a_chain_are_named_each(case: Any) -> None:
    for amount in (0.1, 0.5):
        stages = [{"name": "prune", "parameters": {"amount": amount}}, {"name": "jpeg", "parameters": {"quality": 75}}]
        case.attack(f"prune(amount={amount})+jpeg(quality=75)", stages=stages)
    found = names(case.board())
    assert list(found.attacks.values()) == ["prune amount=0.1 + jpeg", "prune amount=0.5 + jpeg"]
    assert list(found.attack_slugs.values()) == ["prune-amount-0-1-jpeg", "prune-amount-0-5-jpeg"]


def test_addresses_of_cells_and_attacks(case: Any) -> None:
    found = schemes(case, ("toy(n=7)", {"n": 7}), ("toy(n=8)", {"n": 8}))
    case.attack("prune(amount=0.5)", stages=[{"name": "prune", "parameters": {"amount": 0.5}}])
    found = names(case.board())
    assert found.scheme_page("toy(n=8)", "prune(amount=0.5)") == "schemes/toy.md#prune"
    assert found.scheme_page("toy") == "schemes/toy.md"
    assert found.attack_page("prune(amount=0.5)") == "attacks/prune.md"


@pytest.mark.parametrize("twins", [["A b", "a-b", "a/b", "a b 2"], ["<b>", "../..", "日本", "É"], ["x" * 90, "x" * 91]])
def test_slugs_are_plain_and_never_equal(twins: list[str]) -> None:
    found = slugs(twins)
    assert len(set(found.values())) == len(twins)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in found.values())
