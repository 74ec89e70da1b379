"""What commands print fits a terminal of 80 columns."""

from __future__ import annotations

import re

import pytest
from bench import bench_here

from benchmark.cli import bench as group
from benchmark.cli.output import folded

COMMANDS = sorted(name for name, one in group.commands.items() if not one.hidden)


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_and_its_list_of_commands_is_not_cut(command: str) -> None:
    code, said, _ = bench_here(*filter(None, [command]), "--help")
    assert code == 0
    assert max(map(len, said.splitlines())) <= 80
    if not command:
        assert "..." not in said.split("Commands:")[1]


@pytest.mark.parametrize("words", ["list", "describe prune", "describe adi", "describe auto", "describe digits"])
def test_what_is_listed_and_described_fits(words: str) -> None:
    code, said, _ = bench_here(*words.split())
    assert code == 0
    assert [line for line in said.splitlines() if len(line) > 80] == []


def test_advice_fits_but_for_commands_that_are_copied() -> None:
    code, said, _ = bench_here(
        *["advise", "--release", "weights", "--labelled", "500", "--budget", "2", "--task", "cifar10-small"]
    )
    assert code == 0
    lines = said.splitlines()
    assert max(len(line) for line in lines if not line.startswith("  bench show ")) <= 80
    assert any(line.startswith("  bench show ") for line in lines)


def test_a_plan_fits_and_says_in_a_line_each_what_is_not_applicable(tmp_path: object) -> None:
    code, said, _ = bench_here("plan", "--attacks", "all", "--results", str(tmp_path))
    assert code == 0
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80
    cells, whole = map(int, re.findall(r"(\d+) of (\d+) cells are not applicable:", said)[0])
    apart = [int(number) for number in re.findall(r"^ +(\d+)  \d+ attacks? .* × \d+ schemes? ", said, re.MULTILINE)]
    assert (sum(apart), len(apart) < 15) == (cells, True)
    assert f"cells  {whole - cells} of marked models" in said


def test_text_is_folded_under_itself_and_no_word_is_broken() -> None:
    word = "x" * 90
    assert folded(f"  name   {'word ' * 20}{word} end", indent=9).splitlines() == [
        f"  name   {'word ' * 13}word", f"{' ' * 9}{'word ' * 5}word", f"{' ' * 9}{word}", f"{' ' * 9}end",
    ]  # fmt: skip
