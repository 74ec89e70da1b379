"""CONTRIBUTING.md holds: its plug-ins pass every check, its commands run, and its tables name all that is offered."""

from __future__ import annotations

import dataclasses
import inspect
import re
import shlex
import shutil
from pathlib import Path

import pytest
from bench import arguments, bench_here, verdicts

from benchmark import contract as wm
from benchmark.app.kit.attack_acts import attack_findings
from benchmark.app.kit.lab import TinyLab
from benchmark.app.kit.names import BEFORE, CHECKS
from benchmark.app.kit.scheme_acts import scheme_findings
from benchmark.cli import bench
from benchmark.plugins.registry import Registry
from benchmark.plugins.source_reader import read_builders, read_declarations

TEXT = (Path(__file__).parents[4] / "CONTRIBUTING.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
OFFERED = {
    "Party": wm.Party, "Thief": wm.Thief, "Insider": wm.Insider, "Owner": wm.Owner, "Suspect": wm.Suspect,
    "Court": wm.Court, "Recipe": wm.Recipe, "AttackResult": wm.AttackResult,
}  # fmt: skip


def offered(one: type) -> set[str]:
    """The public names that a class itself defines: methods, fields, and what its __init__ sets."""
    names = set(vars(one))
    if dataclasses.is_dataclass(one):
        names |= {field.name for field in dataclasses.fields(one)}
    elif "__init__" in vars(one):
        names |= set(re.findall(r"self\.([a-z]\w*)\s*[,=:]", inspect.getsource(one.__init__)))  # type: ignore[misc]
    return {name for name in names if not name.startswith("_")}


def rows(title: str) -> set[str]:
    """The names in the first column of a table."""
    (table,) = re.findall(rf"^\| {title} \| \|\n\| --- \| --- \|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("title", OFFERED)
def test_the_tables_name_all_that_a_party_offers_and_nothing_else(title: str) -> None:
    assert rows(title) == offered(OFFERED[title])


def test_the_table_of_checks_is_that_of_the_command() -> None:
    named = re.findall(r"^\| `(\w+)` \| (both|attack|scheme) \| (.*) \|$", TEXT, re.MULTILINE)
    asked = [(name, "both", question) for name, question in BEFORE.items()]
    asked += [(name, role, question) for role, checks in CHECKS.items() for name, question in checks.items()]
    assert named == asked


def test_its_plug_ins_are_short_and_pass_every_check(tmp_path: Path) -> None:
    attack, scheme, net = BLOCKS
    lab = TinyLab("classification", Registry.discover())
    for role, text, most in (("attack", attack, 25), ("scheme", scheme, 50)):
        assert len([line for line in text.splitlines() if line.strip()]) <= most
        path = tmp_path / f"{role}.py"
        path.write_text(text)
        (declaration,) = read_declarations(path)
        assert declaration.role == role
        found = list((attack_findings if role == "attack" else scheme_findings)(declaration, lab))
        assert [(one.check, one.fault) for one in found] == [(check, "") for check in CHECKS[declaration.role]]
    (tmp_path / "net.py").write_text(net)
    assert read_builders(tmp_path / "net.py") == ("dimmed",)


def test_its_commands_lead_from_nothing_to_a_row(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, _ = COMMANDS
    lines = [line.split("#")[0].strip() for line in block.splitlines()]
    commands = {line.split()[1]: shlex.split(line)[1:] for line in lines if line.startswith("bench ")}
    assert list(commands) == ["new", "check", "run", "bundle"]
    assert commands.keys() <= bench.commands.keys()
    monkeypatch.chdir(tmp_path)
    code, said, error = bench_here(*commands["new"])
    assert code == 0, error
    assert "bench check weight_noise.py" in said
    code, said, _ = bench_here(*commands["check"])
    assert code == 0, said
    assert "BAD" not in said
    assert [line.split()[0] for line in said.splitlines()[1:]] == [*BEFORE, *CHECKS["attack"]]
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    chosen = commands["run"][commands["run"].index("--attacks") + 1]
    plugin = commands["run"][commands["run"].index("--plugin") + 1]
    code, _, error = bench_here(*arguments(results, "--plugin", plugin, attacks=chosen))
    assert code == 0, error
    words = {attack: line["verdict"] for (_, attack, innocent), line in verdicts(results).items() if not innocent}
    assert words == {"none": "survived", "weight-noise(scale=0.1)": "survived"}
