"""What a plug-in leaves behind in its process. Each of these changed records of others, for good."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_runs import ADI, PLUGINS, VICTIMS, copied, differences, installed, run

import schemes.adi


@pytest.mark.parametrize("what", ["grad", "dtype", "thread", "small"])
def test_no_other_attack_meets_what_one_left(base: Path, clean: Path, tmp_path: Path, what: str) -> None:
    """They crashed, learnt nothing, or computed in double or half precision, and were recorded so."""
    results = copied(base, tmp_path)
    run(results, f"poison(what={what}),{VICTIMS}", PLUGINS / "poisons.py")
    assert differences(clean, results) == []


def test_a_later_run_without_the_plugin_finds_clean_records(base: Path, clean: Path, tmp_path: Path) -> None:
    """The store kept what the poisoned run had found, and later runs used it; this way in is an entry point."""
    poisoned = copied(base, tmp_path / "poisoned")
    run(poisoned, f"installed-poison(what=loss),{VICTIMS}", site=installed(tmp_path / "site", PLUGINS / "poisons.py"))
    later = copied(poisoned, tmp_path / "later")
    run(later, VICTIMS)
    assert differences(clean, later) == []


def test_nobody_forges_utility(base: Path, clean: Path, tmp_path: Path) -> None:
    """A net that knew nothing `removed` the mark at no cost: the attack had replaced the function that says so."""
    results = copied(base, tmp_path)
    assert run(results, f"forger,{VICTIMS}", PLUGINS / "poisons.py")["forger"] == "utility-lost"
    assert differences(clean, results) == []


def test_the_court_does_not_import_what_a_thief_wrote(base: Path, clean: Path, tmp_path: Path) -> None:
    """A builder's file, imported to rebuild a filter, made the court see class 0 wherever it looked."""
    results = copied(base, tmp_path)
    run(results, f"on-import,{VICTIMS}", PLUGINS / "on_import.py")
    assert differences(clean, results) == []


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
