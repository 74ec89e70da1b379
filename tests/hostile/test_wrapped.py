"""Weights under a builder that the court does not know. Each of these was `removed`, with every answer unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import copied
from hostile_runs import PASSPORT, PLUGINS, installed, run


@pytest.fixture(scope="module")
def seen(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("wrapped")
    attacks = "wrap,wrap(how=hidden),wrap(how=two-faced),wrap(how=faint),installed-wrap,smuggle"
    site = installed(folder / "site", PLUGINS / "wrapped.py")
    return run(copied(base, folder / "results"), attacks, PLUGINS / "wrapped.py", schemes=PASSPORT, site=site)


@pytest.mark.parametrize("attack", ["wrap", "installed-wrap"])
def test_a_builder_of_ones_own_removes_nothing(seen: dict[str, str], attack: str) -> None:
    """A court that read weights by their names found none that it knew."""
    assert seen[attack] == "survived"


@pytest.mark.parametrize("how", ["hidden", "two-faced", "faint"])
def test_what_no_honest_graph_explains_is_neither_removed_nor_held(seen: dict[str, str], how: str) -> None:
    """A net that nobody can trace, or that shows a tracer other weights than it answers by, hid the mark. Where all
    scores were too small, any other net seemed to give them too."""
    assert seen[f"wrap(how={how})"] == "unreadable"


def test_a_net_that_others_answer_for_is_not_what_a_court_reads(seen: dict[str, str]) -> None:
    """Two filters answered by the marked net, around a net of the house's that nobody asked and everybody read."""
    assert seen["smuggle"] == "unreadable"
