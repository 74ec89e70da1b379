"""Names that a user types: those in the examples exist, and a wrong one is answered with what could be meant."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from bench import bench_here

QUICK = Path(__file__).parents[3] / "leaderboard" / "published" / "quick-all"


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
    start = "start one with `bench run`"
    for typed, hint in (
        ("absent", f"there are fmnist, mine; or {start}"),
        ("fmnst", f"did you mean fmnist? Or {start}"),
    ):
        code, _, error = bench_here(*command, *out, "--results", str(tmp_path), "--run", typed)
        assert (code, error) == (2, f"no run is called {typed!r} in {tmp_path}: {hint}")


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


def test_without_a_name_the_newest_run_is_read(tmp_path: Path) -> None:
    described = json.loads(gzip.decompress((QUICK.parent / "denoise" / "run.json.gz").read_bytes()))
    for name, created in (("later", "2026-03-01T00:00:00+00:00"), ("earlier", "2026-02-01T00:00:00+00:00")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(described | {"run": name, "created": created}))
    code, said, error = bench_here("status", "--results", str(tmp_path))
    assert (code, f"{tmp_path / 'later'}: " in " ".join(said.split())) == (3, True), error


def test_a_published_board_is_read_by_its_name_and_nothing_is_written_beside_it(tmp_path: Path) -> None:
    where = ("--run", "published:denoise", "--results", str(tmp_path))
    code, said, error = bench_here("show", "--matrix", *where)
    assert (code, "deepmodel" in said) == (0, True), error
    code, _, error = bench_here("show", "deepmodel", "none", "--matrix", *where)
    assert (code, error) == (2, "name a scheme and an attack, or give --matrix for every square")
    for name, hint in (("denoize", "did you mean denoise?"), ("x", "there are calibrate, ")):
        code, _, error = bench_here("status", "--run", f"published:{name}", "--results", str(tmp_path))
        assert (code, f"no published board is called {name!r}: {hint}" in error) == (2, True)
    code, _, error = bench_here("bundle", "deepmodel", "none", "--out", str(tmp_path / "out"), *where)
    assert (code, "published:denoise has no models here" in error) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_where_boards_are_not_installed_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leaderboard.judge import published

    monkeypatch.setattr(published, "PUBLISHED", tmp_path)
    code, _, error = bench_here("show", "--matrix", "--run", "published:quick", "--results", str(tmp_path))
    assert (code, "published boards are not part of an installed package" in error) == (2, True)


def test_a_board_of_another_profile_is_not_put_beside(tmp_path: Path) -> None:
    where = ("--run", "published:denoise", "--results", str(tmp_path))
    code, _, error = bench_here("report", *where, "--beside", "published:cifar10-small")
    assert (code, error) == (
        2, "the runs are of two profiles, quick and cifar10-small: put runs of the same one side by side"
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
