"""Plug-ins that mean harm: on which store they run, by which way they come in, and what came of it."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from bench import arguments, bench, bench_here, records, verdicts

from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK

PLUGINS = Path(__file__).parents[1] / "hostile" / "plugins"
ADI = "adi(n=40,k=16,epochs=8)"
PASSPORT = "passport"
# attacks of good faith that share a run with the others, and take less time than is expected of an unknown one: so they
# come after it
VICTIMS = "finetune(mode=ftll,epochs=1),prune(amount=0.3)"


def landlock() -> int:
    """The version of Landlock that this kernel has; 0 or less where it has none."""
    create_ruleset, ask_version = 444, 1
    return int(ctypes.CDLL(None, use_errno=True).syscall(create_ruleset, None, 0, ask_version))


needs_landlock = pytest.mark.skipif(
    sys.platform != "linux" or landlock() < 1, reason="what a process may read is limited by Landlock, and it is absent"
)


def run(
    results: Path,
    attacks: str,
    *plugins: Path,
    schemes: str = ADI,
    site: Path | None = None,
    options: Sequence[str] = (),
) -> dict[str, str]:
    """One run of the small profile: the verdict of each attack on the marked model.

    In one worker, so that what a process keeps meets the next job. `site`: a folder on the import path, such as
    `installed` makes.
    """
    given = [word for path in plugins for word in ("--plugin", str(path))]
    words = arguments(results, "--workers", "1", *given, *options, schemes=schemes, attacks=attacks)
    if site is None:
        code, *said = bench_here(*words)
    else:
        paths = [str(path) for path in (site, os.environ.get("PYTHONPATH")) if path]
        done = bench(*words, env={"PYTHONPATH": os.pathsep.join(paths)})
        code, *said = done.returncode, done.stdout, done.stderr
    assert code in (EXIT_OK, EXIT_INCOMPLETE), said
    return {attack: line["verdict"] for (_, attack, innocent), line in verdicts(results).items() if not innocent}


def differences(clean: Path, results: Path) -> list[str]:
    """The jobs of a clean run that another run's store lacks, or that found something else there, and its reason."""
    before, after = records(clean), records(results)

    def found(record: Mapping[str, Any] | None) -> Any:
        return record and (record["status"], record["reason"], record["result"])

    return [
        f"{one['kind']} {[stage['name'] for stage in one['job'].get('stages', ())]}: {after.get(id, {}).get('reason')}"
        for id, one in before.items()
        if found(after.get(id)) != found(one)
    ]


def renamed(plugin: Path, to: Path, prefix: str) -> Path:
    """A copy of a plug-in file whose attacks and builders bear `prefix` in front of their names."""
    text = re.sub(r'(name = "|builder\("|"builder": ")', rf"\g<1>{prefix}", plugin.read_text())
    to.write_text(text)
    return to


def installed(folder: Path, plugin: Path, prefix: str = "installed-") -> Path:
    """A folder for the import path with a distribution whose entry point is a copy of `plugin`."""
    about = folder / "hostile_plugin-1.0.dist-info"
    about.mkdir(parents=True)
    renamed(plugin, folder / "hostile_plugin.py", prefix)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[watermark_bench.attacks]\nhostile = hostile_plugin\n")
    return folder
