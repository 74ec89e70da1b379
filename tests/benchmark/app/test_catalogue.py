"""What is said of plug-ins: the catalogue is that of the registry, and known results are those of the boards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
from bench import bench_here

from benchmark.app.catalogue import CATALOGUE, MADE_BY, catalogue
from benchmark.app.plugin_facts import AIMS, known, threat_model
from benchmark.plugins.registry import Registry
from benchmark.vocabulary import ATTACK_KINDS, ORACLE_KINDS
from leaderboard.analysis.known_results import NO_OUTCOME, known_results

REGISTRY = Registry.discover(())
FOREIGN = Path(__file__).parents[2] / "gpu" / "weight_noise.py"


def test_the_catalogue_is_that_of_the_plugins() -> None:
    written = CATALOGUE.read_text() == catalogue(REGISTRY)
    assert written, f"docs/catalogue.md is older than the plug-ins or the published boards: run `{MADE_BY}`"


def test_every_plugin_has_a_section_with_its_parameters() -> None:
    text = catalogue(REGISTRY)
    for plugin in (*REGISTRY.schemes, *REGISTRY.attacks):
        head, _, section = text.partition(f"\n### {plugin.name}\n")
        assert section, plugin.name
        section = section.split("\n### ")[0].split("\n## ")[0]
        assert all(f"| `{one.name}` | `" in section for one in plugin.parameters), plugin.name
        group = f"## Attacks: {plugin.traits['kind']}" if plugin.role == "attack" else "## Schemes"
        assert [line for line in head.splitlines() if line.startswith("## ")][-1] == group


def test_every_kind_of_attack_is_told_in_words() -> None:
    assert set(AIMS) == {*ATTACK_KINDS, *ORACLE_KINDS}


def words(cells: pd.DataFrame) -> dict[str, int]:
    """How many cells have which verdict, with a star where training anew does as well."""
    star = cells["flags"].fillna("").str.contains("no-better-than-scratch").map({True: "*", False: ""})
    return dict((cells.verdict.astype(str) + star.astype(str)).value_counts())


def test_known_results_are_the_counts_of_the_board() -> None:
    from leaderboard import frame

    board = frame("quick-0.1")
    own = board[~board.innocent & ~board.verdict.isin(NO_OUTCOME)]
    plain = own[~own.attack.str.contains(r"\)\+|^[^(]*\+")]
    (found,) = [one for one in known_results("attack", "distill") if one.board == "quick-0.1"]
    cells = plain[plain.attack.str.partition("(")[0] == "distill"]
    assert found.verdicts["extraction"] == words(cells)
    assert found.against["removed*"].keys() == set(cells[cells.verdict == "removed"].scheme.str.partition("(")[0])
    (found,) = [one for one in known_results("scheme", "rose") if one.board == "quick-0.1"]
    cells = own[(own.scheme.str.partition("(")[0] == "rose") & (own.kind == "removal")]
    assert found.verdicts["removal"] == words(cells)
    assert "control" not in found.verdicts


def test_a_thief_who_never_looks_and_one_with_the_key_are_told_apart() -> None:
    told = dict(threat_model(REGISTRY.find("attack", "scratch")))
    assert told["the thief uses"] == "his own images alone; he never looks at the marked model"
    oracle = next(one for one in REGISTRY.attacks if one.traits["kind"] in ORACLE_KINDS)
    assert dict(threat_model(oracle))["the thief knows"].endswith("the owner's key")


def test_describe_says_what_the_catalogue_says() -> None:
    plugin = REGISTRY.find("attack", "prune")
    code, output, error = bench_here("describe", "prune")
    assert code == 0, error
    said = output.splitlines()
    assert f"  kind: removal: {AIMS['removal']}" in said
    assert f"Paper: {plugin.traits['paper']}" in said
    assert known(plugin)
    assert all(f"{board}: {found}" in " ".join(output.split()) for board, found in known(plugin))
    assert json.loads(bench_here("describe", "prune", "--json")[1])[0]["known_results"] == dict(known(plugin))


def test_what_no_board_ran_is_said_to_be_so() -> None:
    code, output, error = bench_here("describe", "weight-noise", "--plugin", str(FOREIGN))
    assert code == 0, error
    assert "Known results: no published board ran it." in output
    assert "\n### weight-noise\n" not in catalogue(Registry.discover([FOREIGN]))


def test_describing_loads_nothing_heavy() -> None:
    heavy = "torch", "numpy", "scipy", "pandas"
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom benchmark.cli import bench\n"
        "assert CliRunner().invoke(bench, ['describe', 'prune']).exit_code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
