"""A shell completes the names of schemes and attacks, and a key press loads neither torch nor numpy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from benchmark.cli import bench
from benchmark.plugins.registry import Registry

SCHEMES = [one.name for one in Registry.discover().schemes]


def completed(*words: str) -> list[str]:
    *before, typed = words
    shell = ShellComplete(bench, {}, "bench", "_BENCH_COMPLETE")
    return [item.value for item in shell.get_completions(before, typed)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["run", "--attacks", "quant"], ["quantize"]),
        (["run", "--attacks", "prune(amount=0.1..0.9:0.1)+jpeg,quant"], ["prune(amount=0.1..0.9:0.1)+jpeg,quantize"]),
        (["run", "--attacks", "jpeg+quant"], ["jpeg+quantize"]),
        (["plan", "--attacks", "gri"], ["grid"]),
        (["run", "--schemes", "ros"], ["rose"]),
        (["run", "--schemes", "rose,ad"], ["rose,adi"]),
        (["embed", "--scheme", "keyn"], ["keynet"]),
        (["verify", "--scheme", "keyn"], ["keynet"]),
        (["describe", "quant"], ["quantize"]),
        (["describe", "aut"], ["autoencoder", "auto"]),
        (["run", "--attacks", "prune(am"], []),
        (["run", "--attacks", "nothing-like-it"], []),
    ],
)
def test_the_last_name_is_completed(words: list[str], found: list[str]) -> None:
    assert completed(*words) == found


def test_every_scheme_is_offered_where_nothing_is_typed() -> None:
    assert completed("run", "--schemes", "") == [*SCHEMES, "all", "standard"]
    assert completed("embed", "--scheme", "") == SCHEMES


def test_a_plug_in_that_was_named_is_offered_too(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text('from attacks.prune import Prune\n\n\nclass Mine(Prune):\n    """Mine."""\n\n    name = "zmine"\n')
    assert completed("run", "--plugin", str(own), "--attacks", "zm") == ["zmine"]
    own.write_text("(")
    assert completed("run", "--plugin", str(own), "--attacks", "quant") == ["quantize"]


def test_bash_completes_and_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    command = tmp_path / "bench"
    command.write_text(
        f"#!{sys.executable}\nimport atexit, sys\nfrom watermark_bench import main\n"
        "atexit.register(lambda: print(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)), file=sys.stderr))\n"
        "main()\n"
    )
    command.chmod(0o755)
    script = (
        'eval "$(_BENCH_COMPLETE=bash_source bench 2>/dev/null)"\n'
        "COMP_WORDS=(bench run --attacks prune,quant) COMP_CWORD=3\n"
        '_bench_completion bench\necho "${COMPREPLY[@]}"\n'
    )
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout.strip(), done.stderr.strip()) == ("prune,quantize", "[]")
