"""The owner's key, the judge's images and all else that a thief's code might meet: what it takes must not pay.

Most of these were `removed` at no cost to utility.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench import PROFILE, bench_here, copied, verdicts
from hostile_runs import ADI, PLUGINS, installed, needs_landlock, run

LOOSE = Path(__file__).parents[1] / "support" / "let_loose.py"


@pytest.fixture(scope="module")
def results(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(base, tmp_path_factory.mktemp("spies") / "results")


@pytest.fixture(scope="module")
def seen(results: Path) -> dict[str, str]:
    """The verdicts of thieves who look around while they attack adi, and of filters that do when they are asked."""
    attacks = [f"spy-in-den(place={place})" for place in ("files", "proc", "names")]
    attacks += [f"spy-in-court(place={place})" for place in ("memory", "objects", "frames", "files", "proc")]
    attacks += ["installed-spy-in-court(place=objects)"]
    attacks += [f"burglar(haul={haul})" for haul in ("module", "raw", "nets", "records", "secret", "memory")]
    site = installed(results.parent / "site", PLUGINS / "spies.py")
    return run(results, ",".join(attacks), PLUGINS / "spies.py", site=site)


def test_the_same_spies_find_what_is_open_to_them(results: Path, seen: dict[str, str]) -> None:
    """Or those that find nothing in a run would prove nothing: without walls, and with a key beside them, all do."""
    loose = [sys.executable, str(LOOSE), "--results", str(results), str(PLUGINS / "spies.py")]
    done = subprocess.run(loose, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == dict.fromkeys(found, True)
    assert found.keys() == {attack for attack in seen if not attack.startswith("installed-")}


def test_the_key_cannot_be_drawn_again(seen: dict[str, str]) -> None:
    """The streams of owners had public names: the thief drew the very key, and shipped a filter that knew it."""
    assert seen["spy-in-den(place=names)"] == "survived"


@needs_landlock
@pytest.mark.parametrize("place", ["files", "proc"])
def test_a_thief_cannot_open_a_key(seen: dict[str, str], place: str) -> None:
    """The keys lay beside what he was given, under names that anybody could list."""
    assert seen[f"spy-in-den(place={place})"] == "survived"


@pytest.mark.parametrize(
    "spy",
    [
        *(f"spy-in-court(place={place})" for place in ("memory", "objects", "frames")),
        "installed-spy-in-court(place=objects)",
    ],
)
def test_a_filter_is_asked_where_no_key_is(seen: dict[str, str], spy: str) -> None:
    """The court asked it in its own process, with the key among the objects and in a frame of the stack."""
    assert seen[spy] == "survived"


@needs_landlock
@pytest.mark.parametrize("place", ["files", "proc"])
def test_a_filter_cannot_open_a_key(seen: dict[str, str], place: str) -> None:
    """It found the store by the driver's command line, and the key in it."""
    assert seen[f"spy-in-court(place={place})"] == "survived"


@needs_landlock
@pytest.mark.parametrize("way", ["module", "raw"])
def test_the_judges_images_are_the_judges(seen: dict[str, str], way: str) -> None:
    """A net that knew these images by heart and nothing else was right on all of them, and bore no mark."""
    assert seen[f"burglar(haul={way})"] == "survived"


@needs_landlock
def test_a_thief_cannot_take_somebody_elses_net(seen: dict[str, str]) -> None:
    """The store held nets without a mark, trained on the owner's own images: he returned one of those."""
    assert seen["burglar(haul=nets)"] == "survived"


@needs_landlock
@pytest.mark.parametrize("what", ["records", "secret", "memory"])
def test_a_thief_cannot_read_about_others(seen: dict[str, str], what: str) -> None:
    """He read what courts had found, the secret, and the memory of the processes beside his: then he says so."""
    assert seen[f"burglar(haul={what})"] == "survived"


@pytest.mark.usefixtures("seen")
def test_verify_asks_no_filter_where_the_key_is(results: Path) -> None:
    """The same filter, in front of a model that somebody accuses: it read the key in the process of `bench verify`."""
    (cell,) = (line for key, line in verdicts(results).items() if key[1:] == ("spy-in-court(place=objects)", False))
    model = next((results / "store").rglob(f"{cell['job_attacked']}.service.safetensors"))
    key = next((results / "store").rglob(f"{cell['job_marked']}.key.safetensors"))
    where = "--profile", str(PROFILE), "--results", str(results), "--device", "cpu", "--workers", "1"
    files = "--model", str(model), "--key", str(key), "--plugin", str(PLUGINS / "spies.py")
    code, said, error = bench_here("verify", "--scheme", ADI, *files, *where, "--json")
    assert code == 0, error
    assert json.loads(said)["verdict"] == "present"
