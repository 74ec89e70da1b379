"""The check of one GPU: all of it runs at small size on the CPU, and it tells a target that is missed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bench import copied
from gpu.card import NVIDIA_SMI, Load, load
from gpu.check import LIMITS, Row, exit_code, table

SCRIPT = Path(__file__).parent / "check.sh"


def check(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHON": sys.executable, "TORCHDYNAMO_DISABLE": "1"}  # the compiler has tests of its own
    command = ["bash", str(SCRIPT), str(out), "--out", str(out), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=590, check=False)


@pytest.fixture(scope="module")
def dry(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a dry run that came to its end; its runs find the unmarked models of other tests."""
    out = tmp_path_factory.mktemp("check")
    copied(base, out / "all")
    done = check(out, "--dry")
    assert done.returncode == 0, done.stdout + done.stderr + "".join(one.read_text() for one in out.glob("*.log"))
    return out


def test_every_part_runs_at_small_size(dry: Path) -> None:
    rows = {part: [Row(**row) for row in json.loads((dry / f"{part}.dry.json").read_text())] for part in LIMITS}
    assert sum(row.bound is not None for part in rows.values() for row in part) == 14
    told = {row.what: row.value for part in rows.values() for row in part}
    assert told["that run's exit code"] == told["quick, all against all: exit code"] == 0
    assert told["somebody else's attack: exit code"] == 0
    assert told["cells of that part"] >= 1
    assert told["of them with another verdict"] == 0
    assert told["cell of quantize(bits=8,activations=false)"] > 0
    assert told["accuracy on 397 test images, mean of 2"] > 20


def test_a_second_call_measures_nothing_again(dry: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dry.iterdir()}
    done = check(dry, "--dry")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in dry.iterdir()} == before
    assert "the card busy during a whole run" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and the check would take minutes")
def test_what_fails_is_named_and_not_kept(dry: Path, tmp_path: Path) -> None:
    for part in LIMITS.keys() - {"cells"}:
        (tmp_path / f"{part}.json").write_bytes((dry / f"{part}.dry.json").read_bytes())
    done = check(tmp_path)
    assert done.returncode == 1
    assert f"ended with 1, see {tmp_path / 'cells.log'}" in done.stdout
    assert "torch sees no GPU" in (tmp_path / "cells.log").read_text()
    assert not (tmp_path / "cells.json").exists()


def test_a_missed_target_ends_with_1() -> None:
    good = [Row("images a second", 70_000, "images/s", "at least", 70_000), Row("told", 3.0)]
    slow = Row("a cell", 0.51, "s", "at most", 0.5)
    assert exit_code(good, dry=False) == 0
    assert exit_code([*good, slow], dry=False) == 1
    assert exit_code([*good, slow], dry=True) == 0
    assert exit_code([Row("cells", 0.0, missed="took more than 60 s")], dry=True) == 1
    assert [line.split()[-1] for line in table([*good, slow], dry=False).splitlines()] == ["met", "yes", "–", "NO"]


def test_the_load_is_the_mean_of_what_nvidia_smi_printed() -> None:
    assert load("0, 10\n100, 4000\n80, 500\n7") == Load(60.0, 4000.0)  # the last line was cut off
    assert "utilization.gpu,memory.used" in NVIDIA_SMI[3]


def test_eight_minutes_are_the_most() -> None:
    assert sum(LIMITS.values()) <= 8 * 60
