"""What a plug-in leaves behind in its process. Each of these changed records of others, for good."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import copied, records, stamps
from hostile_runs import ADI, PLUGINS, VICTIMS, differences, installed, run

import schemes.adi


@pytest.fixture(scope="module")
def poisoned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A run in which every poison goes before the attacks of good faith, one by an entry point; and its verdicts."""
    folder = tmp_path_factory.mktemp("poisons")
    results = copied(base, folder / "results")
    attacks = [f"poison(what={what})" for what in ("grad", "dtype", "thread", "small")]
    attacks += ["installed-poison(what=loss)", "forger", "on-import", VICTIMS]
    site = installed(folder / "site", PLUGINS / "poisons.py")
    return results, run(results, ",".join(attacks), PLUGINS / "poisons.py", PLUGINS / "on_import.py", site=site)


def test_no_other_attack_meets_what_one_left(clean: Path, poisoned: tuple[Path, dict[str, str]]) -> None:
    """They crashed, learnt nothing, or computed in double or half precision, and were recorded so.

    And a builder's file, imported to rebuild a filter, made the court see class 0 wherever it looked.
    """
    results, _ = poisoned
    assert differences(clean, results) == []
    written, bad, good = stamps(results), [], []
    for id, record in records(results).items():
        if record["kind"] == "attacked" and (name := record["job"]["stages"][0]["name"]) != "none":
            (good if name in ("finetune", "prune") else bad).append(written[f"{id}.json"])
    assert (len(bad), len(good)) == (14, 4)  # a marked and an innocent model each
    assert max(bad) < min(good)  # or they could not have met it


def test_a_later_run_without_the_plugin_finds_clean_records(
    clean: Path, poisoned: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """The store kept what the poisoned run had found, and later runs used it."""
    later = copied(poisoned[0], tmp_path / "later")
    run(later, VICTIMS)
    assert differences(clean, later) == []


def test_nobody_forges_utility(poisoned: tuple[Path, dict[str, str]]) -> None:
    """A net that knew nothing `removed` the mark at no cost: the attack had replaced the function that says so."""
    assert poisoned[1]["forger"] == "utility-lost"


def test_no_other_scheme_meets_what_one_left(base: Path, clean: Path, tmp_path: Path) -> None:
    """A scheme of somebody's own ran in the court's process: every scheme after it was read with its eyes."""
    source = Path(schemes.adi.__file__).read_text()
    plugin = tmp_path / "poisonous.py"
    named = source.replace('name = "adi"', 'name = "poisonous"').replace('b"adi labels"', 'b"poisonous labels"')
    embed = "    def embed(self, owner: wm.Owner, key: AdiKey) -> wm.Marked:\n"
    poison = "        torch.Tensor.argmax = lambda x, *_: torch.zeros(len(x), dtype=torch.int64)\n"
    assert named.count(embed) == 1
    plugin.write_text(named.replace(embed, embed + poison))
    results = copied(base, tmp_path / "results")
    run(results, VICTIMS, plugin, schemes=f"poisonous(n=40,k=16,epochs=1),{ADI}")
    assert differences(clean, results) == []
