"""Builders are known by name to every process: those that run are those that are read, and no name is given twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.errors import BenchError
from benchmark.plugins.registry import NETS, Registry
from benchmark.plugins.source_reader import read_builders

ROOT = Path(__file__).parents[3]
PLUGINS = [path for folder in ("schemes", "attacks") for path in sorted((ROOT / folder).rglob("*.py"))]
HOUSE, EVERY = ({name: path for path in paths for name in read_builders(path)} for paths in (NETS, (*NETS, *PLUGINS)))
SHOW = "from benchmark.architectures.net import BUILDERS; print(*sorted(BUILDERS))"
IMPORT_ALL = "from benchmark.plugins.registry import Registry, load; found = Registry.discover(); "
IMPORT_ALL += "[load(one) for one in (*found.schemes, *found.attacks)]; "


@pytest.mark.parametrize(("script", "read"), [(SHOW, HOUSE), (IMPORT_ALL + SHOW, EVERY)], ids=["house", "plug-ins"])
def test_what_runs_is_what_is_read(script: str, read: dict[str, Path]) -> None:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(read)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_plug_in_may_not_take_the_name_of_a_builder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "toy.py"
    path.write_text(
        "from benchmark import contract as wm\n"
        f'@wm.builder("{name}")\n'
        "def net(): ...\n"
        'class Toy(wm.Attack):\n    name = "toy"; family = "toys"; kind = "removal"\n'
    )
    with pytest.raises(BenchError, match=f"the builder name '{name}' is taken by {EVERY[name]}: rename one of them"):
        Registry.discover([path])
