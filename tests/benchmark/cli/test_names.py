"""Names that a user types: those in the examples exist, and a wrong one is answered with what could be meant."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from bench import bench_here

QUICK = Path(__file__).parents[3] / "leaderboard" / "published" / "quick"


@pytest.mark.parametrize("command", ["show", "bundle"])
def test_the_example_in_the_help_is_a_cell_of_the_default_run(command: str) -> None:
    _, output, _ = bench_here(command, "--help")
    ((scheme, attack),) = re.findall(rf"`bench {command} '([^']+)' '([^']+)'", " ".join(output.split()))
    run = json.loads(gzip.decompress((QUICK / "run.json.gz").read_bytes()))
    assert scheme in {one["label"] for one in run["schemes"]}
    assert attack in {one["label"] for one in run["attacks"]}


@pytest.mark.parametrize(
    ("name", "meant"), [("resnet", "resnet18"), ("digit", "digits"), ("prume", "prune"), ("rosse", "rose")]
)
def test_describe_knows_plugins_tasks_and_architectures(name: str, meant: str) -> None:
    code, _, error = bench_here("describe", name)
    said, _, hint = error.partition(": ")
    assert (code, said) == (2, f"no scheme, attack, task or architecture is named {name!r}")
    assert meant in re.split(r"[ ?]", hint.removeprefix("did you mean "))


@pytest.mark.parametrize("command", [["status"], ["report"], ["show", "rose", "none"], ["bundle", "rose", "none"]])
def test_a_run_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path, command: list[str]) -> None:
    for name in ("mine", "fmnist"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    out = ["--out", str(tmp_path / "out")] if command[0] == "bundle" else []
    for typed, hint in (("absent", "there are fmnist, mine"), ("fmnst", "did you mean fmnist?")):
        code, _, error = bench_here(*command, *out, "--results", str(tmp_path), "--run", typed)
        assert (code, error) == (2, f"no run is called {typed!r} in {tmp_path}: {hint}; `bench run` starts one")


def test_several_settings_where_one_is_meant_are_three_names_at_most(tmp_path: Path) -> None:
    code, _, error = bench_here("embed", "--scheme", "all", "--out", str(tmp_path / "out"))
    found = re.fullmatch(r"--scheme 'all' names (\d+) settings \((.*) and (\d+) more\): name one", error)
    assert found
    assert (code, int(found[1]) - int(found[3]), len(re.split(r", (?![^(]*\))", found[2]))) == (2, 3, 3)


def test_describe_says_which_parameters_are_lists_or_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "cut.py"
    path.write_text(
        'class Cut(Attack):\n    name = "cut"\n    family = "cuts"\n    kind = "removal"\n'
        '    layers: tuple[int, ...] = parameter((1, 2), "which of them", low=1)\n'
        '    rate: float | None = parameter(None, "share, or found by a search")\n'
    )
    code, said, _ = bench_here("describe", "cut", "--plugin", str(path))
    assert code == 0
    for name, default, kind in (("layers", "1;2", "list of int"), ("rate", "none", "float or none")):
        (line,) = [line for line in said.splitlines() if name in line and kind in line]
        assert default in line
