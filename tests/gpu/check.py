"""Whether one GPU reaches what is asked of it: one table, in at most 8 minutes on an H100 or H200.

`tests/gpu/check.sh DATA`, DATA being the folder in which torchvision's CIFAR-10 lies. Each part has a process and a
time limit of its own; what it found is kept in the folder --out, so that the same command goes on with the parts that
are missing. Ends with 0 where every target is met, else with 1. --dry runs the same at small size on the CPU, where
nothing has to be met.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from benchmark.files import write_whole
from watermark_bench import NEEDED

LIMITS = {"training": 180, "cells": 60, "busy": 90, "quick": 120, "confined": 30}  # seconds of each part: 8 minutes


@dataclass(frozen=True)
class Row:
    """One line of the table. bound: whether `value` is to be at least or at most `limit`; None: it is only told."""

    what: str
    value: float
    unit: str = ""
    bound: Literal["at least", "at most"] | None = None
    limit: float = 0.0
    missed: str = ""  # why there is no value

    @property
    def met(self) -> bool:
        if self.missed or self.bound is None:
            return not self.missed
        return self.value >= self.limit if self.bound == "at least" else self.value <= self.limit


@click.command(help=__doc__)
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("results/gpu-check"))
@click.option("--dry", is_flag=True, help="At small size on the CPU.")
@click.option("--part", type=click.Choice(list(LIMITS)), hidden=True)
def main(data: Path, out: Path, dry: bool, part: str | None) -> None:
    if part is not None:
        import parts

        rows = parts.measure(part, data.absolute(), out.absolute(), dry)
        write_whole(_kept(out, part, dry), json.dumps([asdict(row) for row in rows]).encode())
        return
    if missing := [name for name, module in NEEDED.items() if importlib.util.find_spec(module) is None]:
        how = "carry their wheels here and put their folder on PYTHONPATH, or pip install --no-deps them"
        raise click.UsageError(f"{', '.join(missing)} can't be imported: {how}")
    out.mkdir(parents=True, exist_ok=True)
    began, found = time.monotonic(), list[Row]()
    for name in LIMITS:
        click.echo(f"{name} …", err=True)
        found += _rows_of(name, data, out, dry)
    click.echo(table(found, dry))
    click.echo(f"\n{time.monotonic() - began:.0f} s; what the parts printed is in {out}")
    sys.exit(exit_code(found, dry))


def _rows_of(part: str, data: Path, out: Path, dry: bool) -> list[Row]:
    """The rows of a part, measured where they are not kept; one that names the fault where that failed."""
    kept = _kept(out, part, dry)
    if not kept.exists():
        log = out / f"{part}.log"
        words = [sys.executable, __file__, str(data), "--out", str(out), "--part", part, *(["--dry"] if dry else [])]
        limit = None if dry else LIMITS[part]  # a busy machine says nothing of a card
        with log.open("w") as file:
            process = subprocess.Popen(words, stdout=file, stderr=file, start_new_session=True)
            try:
                code = process.wait(limit)
                fault = f"ended with {code}, see {log}" if code else ""
            except subprocess.TimeoutExpired:
                fault = f"took more than {limit} s, see {log}"
            finally:
                if process.poll() is None:  # with all that it started, which would weigh on the next part
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if fault:
            return [Row(part, 0.0, missed=fault)]
    return [Row(**row) for row in json.loads(kept.read_text())]


def _kept(out: Path, part: str, dry: bool) -> Path:
    return out / f"{part}{'.dry' if dry else ''}.json"


def table(rows: Sequence[Row], dry: bool) -> str:
    """Target, measured, met."""
    head = ("what", "target", "measured", "met")
    lines = [
        head,
        *((row.what, _target(row), row.missed or _number(row.value, row.unit), _met(row, dry)) for row in rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def exit_code(rows: Sequence[Row], dry: bool) -> int:
    """1 where a target is missed; in a dry run only where a part came to no end."""
    return 0 if all(not row.missed if dry else row.met for row in rows) else 1


def _target(row: Row) -> str:
    return f"{row.bound} {_number(row.limit, row.unit)}" if row.bound else ""


def _met(row: Row, dry: bool) -> str:
    if row.missed:
        return "NO"
    if dry or row.bound is None:
        return "–"
    return "yes" if row.met else "NO"


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}".rstrip() if abs(value) >= 1000 else f"{value:.4g} {unit}".rstrip()


if __name__ == "__main__":
    main()
