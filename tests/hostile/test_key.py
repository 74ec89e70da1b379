"""The owner's key, wherever a thief's code might meet it. Each of these was `removed` at no cost to utility."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_runs import PLUGINS, copied, installed, needs_landlock, run


@pytest.fixture(scope="module")
def seen(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The verdicts of thieves who look for the key of adi while they attack, and of filters that do when asked."""
    folder = tmp_path_factory.mktemp("key")
    results = copied(base, folder / "results")
    attacks = [f"spy-in-den(place={place})" for place in ("files", "proc", "names")]
    attacks += [f"spy-in-court(place={place})" for place in ("objects", "frames", "files", "proc")]
    attacks += ["installed-spy-in-court(place=objects)"]
    site = installed(folder / "site", PLUGINS / "spies.py")
    return run(results, ",".join(attacks), PLUGINS / "spies.py", site=site)


def test_the_key_cannot_be_drawn_again(seen: dict[str, str]) -> None:
    """The streams of owners had public names: the thief drew the very key, and shipped a filter that knew it."""
    assert seen["spy-in-den(place=names)"] == "survived"


@needs_landlock
@pytest.mark.parametrize("place", ["files", "proc"])
def test_a_thief_cannot_open_a_key(seen: dict[str, str], place: str) -> None:
    """The keys lay beside what he was given, under names that anybody could list."""
    assert seen[f"spy-in-den(place={place})"] == "survived"


@pytest.mark.parametrize(
    "spy", ["spy-in-court(place=objects)", "spy-in-court(place=frames)", "installed-spy-in-court(place=objects)"]
)
def test_a_filter_is_asked_where_no_key_is(seen: dict[str, str], spy: str) -> None:
    """The court asked it in its own process, with the key among the objects and in a frame of the stack."""
    assert seen[spy] == "survived"


@needs_landlock
@pytest.mark.parametrize("place", ["files", "proc"])
def test_a_filter_cannot_open_a_key(seen: dict[str, str], place: str) -> None:
    """It found the store by the driver's command line, and the key in it."""
    assert seen[f"spy-in-court(place={place})"] == "survived"
