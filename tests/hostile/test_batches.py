"""What a service may learn from how it is asked. Each of these was `removed` with no data, query or cost to utility."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import copied
from hostile_runs import PLUGINS, installed, needs_landlock, run

NOTES = "note", "note(place=program)", "note(place=log)"  # a service that writes down what it was asked, in a file


@pytest.fixture(scope="module")
def seen(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The verdicts of a run in which the services come in as filters, as nets, from a helper and from a package."""
    folder = tmp_path_factory.mktemp("batches")
    results = copied(base, folder / "results")
    attacks = "by-batch", *(f"by-batch(rule={rule})" for rule in ("content", "neighbour", "process"))
    more = "by-batch(rule=content,form=net)", "installed-by-batch(rule=content)", "helped"
    more += tuple(f"by-phase(margin={margin})" for margin in ("tiny", "twins"))
    more += NOTES
    plugins = *(PLUGINS / f"{name}.py" for name in ("batches", "phases", "notes")), PLUGINS / "helped" / "helped.py"
    site = installed(folder / "site", PLUGINS / "batches.py")
    return run(results, ",".join(attacks + more), *plugins, site=site)


def test_the_size_of_a_batch_gives_no_key_away(seen: dict[str, str]) -> None:
    """It answered the test set, a batch of 397, and blanked the key, a batch of 40."""
    assert seen["by-batch"] in ("survived", "inconsistent")


@pytest.mark.parametrize(
    "attack",
    ["by-batch(rule=content)", "by-batch(rule=content,form=net)", "installed-by-batch(rule=content)", "helped"],
)
def test_a_batch_that_holds_strange_images_is_no_way_to_spot_the_key(seen: dict[str, str], attack: str) -> None:
    """It answered a batch of digits, and blanked any batch with something else in it: the key alone."""
    assert seen[attack] == "inconsistent"


def test_an_answer_that_depends_on_the_neighbours_is_called_so(seen: dict[str, str]) -> None:
    """It mixed each image with the next one in the batch, so no answer of the court's could be repeated."""
    assert seen["by-batch(rule=neighbour)"] == "inconsistent"


def test_the_process_that_asks_gives_no_court_away(seen: dict[str, str]) -> None:
    """It answered in the thief's own process, where utility was measured, and blanked everything in the court's."""
    assert seen["by-batch(rule=process)"] == "utility-lost"


@pytest.mark.parametrize("margin", ["tiny", "twins"])
def test_answers_that_hang_by_a_hair_may_not_all_change(seen: dict[str, str], margin: str) -> None:
    """No answer of it was clear, so none could be held against it: the second time, each was another class."""
    assert seen[f"by-phase(margin={margin})"] == "inconsistent"


@needs_landlock
@pytest.mark.parametrize("attack", NOTES)
def test_a_service_can_t_note_what_it_was_asked_for_the_next_process(seen: dict[str, str], attack: str) -> None:
    """The judge's images came first, and were noted in attributes of a file; what was not, was the key's."""
    assert seen[attack] == "survived"
