"""Running `bench` as a user does: in a process of its own. Shared by the end-to-end tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROFILE = Path(__file__).parents[1] / "small.toml"
SECRET = Path(__file__).parent / "secret.txt"  # the same in every store, so that two runs can be compared
SCHEME = "adi(n=40,k=16,epochs=8)"
ATTACKS = "none,scratch,prune(amount=0.3),quantize(bits=8),jpeg,fresh-key,finetune(epochs=1)+prune(amount=0.2)"
COMMAND = (sys.executable, "-c", "from watermark_bench import main; main()")


def arguments(results: Path, *options: str, schemes: str = SCHEME, attacks: str = ATTACKS) -> list[str]:
    """`bench run` of the small profile."""
    fixed = ["--profile", str(PROFILE), "--results", str(results), "--device", "cpu", "--secret", str(SECRET)]
    return ["run", "--schemes", schemes, "--attacks", attacks, *fixed, *options]


def bench(
    *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, `env` beside this process's own; the caller looks at `returncode` and the output."""
    own = {**os.environ, **(env or {})}
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, cwd=cwd, env=own, timeout=400, check=False
    )


def bench_here(*words: str) -> tuple[int, str, str]:
    """The same in this process, torch imported once: exit code, output, and the sentence of the error."""
    from click.testing import CliRunner

    from benchmark.cli import bench as group
    from benchmark.errors import BenchError

    done = CliRunner().invoke(group, words, standalone_mode=False)
    if isinstance(done.exception, BenchError):
        return done.exception.exit_code, done.stdout, str(done.exception)
    if done.exception is not None:
        raise done.exception
    return done.return_value or 0, done.stdout, done.stderr


def bundle(results: Path, out: Path, *cell: str) -> Path:
    """Bundle one cell of the small profile's run into `out`."""
    code, _, error = bench_here("bundle", *cell, "--out", str(out), "--results", str(results), "--run", "small")
    assert code == 0, error
    return out


def records(results: Path) -> dict[str, dict[str, Any]]:
    """Every record of a results folder, by id, without what may differ between machines."""
    found = {}
    for path in (results / "store" / "records").glob("*/*.json"):
        record = json.loads(path.read_text())
        found[record["id"]] = {name: value for name, value in record.items() if name not in ("run", "checksum")}
    return found


def stamps(results: Path) -> dict[str, int]:
    """When each record was written: equal stamps mean that no job ran."""
    return {path.name: path.stat().st_mtime_ns for path in (results / "store" / "records").glob("*/*.json")}


def verdicts(results: Path, run: str = "small") -> dict[tuple[str, str, bool], dict[str, Any]]:
    """The lines of matrix.csv, by scheme, attack and innocence."""
    import csv

    with (results / run / "matrix.csv").open(newline="") as file:
        return {(line["scheme"], line["attack"], line["innocent"] == "True"): line for line in csv.DictReader(file)}
