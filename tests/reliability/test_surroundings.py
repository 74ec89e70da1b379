"""Pipes, terminals and locales as a run may meet them: it goes on, and what it finished is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from bench import COMMAND, arguments, records, verdicts

UTF8_OFF = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
MINE = '''
from dataclasses import dataclass
from benchmark.contract import Attack, Thief

@dataclass(frozen=True)
class Mine(Attack):
    """It says what no terminal should be told."""

    name = "mine"
    family = "test"
    kind = "removal"

    def run(self, thief: Thief):
        raise RuntimeError("half a letter \\udcff, a colour \\x1b[31m and gr\\xfc\\xdfe")
'''


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    copy = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    shutil.rmtree(copy / "small")  # so that what is there afterwards was written by the run
    return copy


@pytest.mark.parametrize("streams", ["stdout", "both"])
def test_a_run_goes_on_when_its_reader_leaves(finished: Path, results: Path, streams: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    errors = writing if streams == "both" else subprocess.PIPE
    done = subprocess.run(
        [*COMMAND, *arguments(results)], stdout=writing, stderr=errors, text=True, timeout=120, check=False
    )
    os.close(writing)
    assert done.returncode == 0
    assert verdicts(results) == verdicts(finished)
    if streams == "stdout":
        assert done.stderr == "The output is gone (Broken pipe): the run goes on and writes its pages.\n"


def test_a_run_that_is_started_without_any_output_damages_no_record(finished: Path, results: Path) -> None:
    next((results / "store" / "records").glob("*/*.json")).unlink()
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *COMMAND, *arguments(results, "--workers", "1")]
    assert subprocess.run(closed, timeout=240, check=False).returncode == 0
    assert verdicts(results).keys() == verdicts(finished).keys()
    assert records(results) == records(finished)


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "en_US.ISO-8859-1"}, UTF8_OFF])
def test_a_terminal_that_knows_few_letters(finished: Path, results: Path, environment: dict[str, str]) -> None:
    done = run_anywhere(environment, *arguments(results))
    assert done.returncode == 0, done.stderr
    assert b"held" in done.stdout
    assert verdicts(results) == verdicts(finished)


def test_folders_whose_names_cannot_be_read_are_refused_in_a_sentence(results: Path, tmp_path: Path) -> None:
    umlaut = results.rename(tmp_path / "Größe")
    assert run_anywhere({}, *arguments(umlaut)).returncode == 0
    for environment, folder in ((UTF8_OFF, umlaut), ({}, tmp_path / "r\udcff")):
        done = run_anywhere(environment, *arguments(folder))
        assert done.returncode == 2
        assert b"set PYTHONUTF8=1, or choose another folder" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_what_a_plugin_says_costs_its_own_cell(results: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(MINE, encoding="utf-8")
    words = arguments(results, "--plugin", str(plugin), attacks="none,mine")
    for environment in ({}, UTF8_OFF):
        done = run_anywhere(environment, *words)
        assert done.returncode == 3, done.stderr
        assert b"\x1b" not in done.stdout + done.stderr
        assert b"Traceback" not in done.stdout + done.stderr
        found = {attack: line for (_, attack, innocent), line in verdicts(results).items() if not innocent}
        assert (found["none"]["verdict"], found["mine"]["verdict"]) == ("survived", "crashed")
        assert "half a letter" in found["mine"]["reason"]


def run_anywhere(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    return subprocess.run([*COMMAND, *words], capture_output=True, timeout=240, env=kept | environment, check=False)
