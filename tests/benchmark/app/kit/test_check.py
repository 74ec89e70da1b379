"""`bench new` and `bench check` as commands."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from bench import bench_here

from benchmark.app.kit import check
from benchmark.app.kit.names import BEFORE, CHECKS
from benchmark.app.kit.new_plugin import STARTERS
from benchmark.plugins.source_reader import read_declarations

SILENT = """\
from dataclasses import dataclass
import time
from benchmark.protocol.attack import Attack


@dataclass(frozen=True)
class Slow(Attack):
    name = "slow"
    family = "tests"
    kind = "removal"

    def run(self, thief):
        print("I begin")
        time.sleep(600)


@dataclass(frozen=True)
class Gone(Attack):
    name = "gone"
    family = "tests"
    kind = "removal"

    def run(self, thief):
        import os
        os._exit(7)
"""


@pytest.mark.parametrize("role", ["attack", "scheme"])
def test_new_writes_a_plugin_of_that_name_and_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said, _ = bench_here("new", role, "two-words")
    assert code == 0
    assert "bench check two_words.py" in said
    (one,) = read_declarations(tmp_path / "two_words.py")
    assert (one.role, one.name, one.class_name) == (role, "two-words", "TwoWords")
    text = (tmp_path / "two_words.py").read_text()
    assert "my-" not in text
    assert "My" not in text
    assert text.count("CHANGE ME") >= 3
    code, _, error = bench_here("new", role, "two-words")
    assert (code, error) == (2, "two_words.py is there already and is not overwritten: choose another --out")
    assert (tmp_path / "two_words.py").read_text() == text
    assert bench_here("new", role, "two-words", "--out", "mine.py")[0] == 0
    assert (tmp_path / "mine.py").read_text() == text


@pytest.mark.parametrize("name", ["Two", "two_words", "2words", "two--words", "-two", "all", "two words", ""])
def test_new_refuses_a_name_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = bench_here("new", "attack", "--", name)
    assert code == 2
    assert error == f"{name!r} is no name for an attack: write lower-case words with dashes, such as weight-noise"
    assert list(tmp_path.iterdir()) == []


def test_new_says_what_is_in_its_way(tmp_path: Path) -> None:
    code, _, error = bench_here("new", "attack", "prune", "--out", str(tmp_path / "mine.py"))
    assert (code, "the attack name 'prune' is taken by " in error) == (2, True)
    code, _, error = bench_here("new", "attack", "mine", "--out", str(tmp_path / "no" / "mine.py"))
    assert (code, "can't be written (No such file or directory): choose another --out" in error) == (2, True)


def test_the_starters_are_as_long_as_they_need_to_be() -> None:
    for name, most in (("attack", 30), ("scheme", 62)):
        text = (STARTERS / f"{name}.py").read_text()
        lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
        assert len(lines) <= most
        assert ast.get_docstring(ast.parse(text))


def test_what_hangs_or_ends_its_process_costs_no_more_than_its_own_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "ACT_SECONDS", 30.0)
    path = tmp_path / "mine.py"
    path.write_text(SILENT)
    code, said, _ = bench_here("check", str(path), "--json")
    assert code == 2
    report = json.loads(said)
    assert report["printed"] == ["I begin"]
    found = {(one["name"], one["check"]): one for one in report["checks"]}
    assert [check for name, check in found if name == "slow"] == [*BEFORE, *CHECKS["attack"]]
    lines = {name: SILENT.splitlines().index(f"class {name.title()}(Attack):") + 6 for name in ("slow", "gone")}
    slow, gone = found["slow", "runs"], found["gone", "runs"]
    assert slow["text"].startswith(f"{path}:{lines['slow']}: it did not end within 30 s: take a parameter")
    assert gone["text"].startswith(f"{path}:{lines['gone']}: it ended the process that it ran in (exit code 7)")
    assert [found[name, "result"]["ok"] for name in ("slow", "gone")] == [None, None]
    strange = found["slow", "imports"]
    assert strange["text"].startswith(f"{path}:3: it imports benchmark.protocol.attack: write `from benchmark import")
    assert [one["ok"] for one in report["checks"] if one["check"] in ("declaration", "class", "import")] == [True] * 6


def test_a_file_that_can_t_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Mine(Attack):\n    name = 'mine'\n")
    code, _, error = bench_here("check", str(path))
    assert (code, error.startswith(f"{path}:1: Mine: an attack must say its family: write")) == (2, True)
    code, _, error = bench_here("check", str(tmp_path / "nowhere.py"))
    assert (code, "can't be read: No such file or directory" in error) == (2, True)
