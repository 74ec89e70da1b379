"""Files that can't be imported, and classes that are no plug-ins: `bench check` and `bench run` say the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import arguments, bench_here, stamps

from benchmark.execution.processes import import_check
from benchmark.execution.processes.lease import Zygote
from benchmark.plugins.source_reader import read_declarations

HEAD = """\
from dataclasses import dataclass
import torch
from benchmark import contract as wm
"""
TRAITS = '    name = "NAME"\n    family = "tests"\n    kind = "removal"\n'
RUN = "    def run(self, thief):\n        return thief.model\n"
FROZEN = "@dataclass(frozen=True)\n"
KEY = "@dataclass(frozen=True, kw_only=True)\nclass MineKey(wm.Key):\n    pass\n\n\n"
METHODS = """\
    def keygen(self, party, rng): ...
    def embed(self, owner, key): ...
    def observe(self, suspect, key, court): ...
    def rebind(self, key, secret): ...
"""
SCHEME = f'{FROZEN}class Mine(wm.Scheme[MineKey]):\n    name = "NAME"\n'

# name: (the file behind its head, the line to blame after the file's name, words)
BAD = {
    "no-dataclass": (f"class Mine(wm.Attack):\n{TRAITS}{RUN}", 4, "Mine is no dataclass, so its parameters mean "
                     "nothing: write `@dataclass(frozen=True)` above it"),
    "not-frozen": (f"@dataclass\nclass Mine(wm.Attack):\n{TRAITS}{RUN}", 5,
                   "Mine can be changed while it is used: write"),
    "thawed": (f"from attacks.prune import Prune\n@dataclass\nclass Mine(Prune):\n{TRAITS}", 5,
               "cannot inherit non-frozen dataclass from a frozen one: write `@dataclass(frozen=True)` above every"),
    "forgotten-again": ("from attacks.prune import Prune\nclass Mine(Prune):\n" + TRAITS +
                        '    amount: float = wm.parameter(0.9, "share")\n', 5, "Mine is no dataclass"),
    "no-run": (f"{FROZEN}class Mine(wm.Attack):\n{TRAITS}", 5, "Mine lacks run: write `def run(self, thief)`"),
    "another-run": (f"{FROZEN}class Mine(wm.Attack):\n{TRAITS}    def run(self, model, thief): ...\n", 9,
                    "run(self, model, thief) can't be called with what it gets: write `def run(self, thief)`"),
    "own-call": (f"{FROZEN}class Mine(wm.Attack):\n{TRAITS}{RUN}    def __call__(self, thief):\n        return 1\n", 11,
                 "__call__ is the benchmark's, with the rules that bind all: rename it to run"),
    "own-base": (f"class Attack:\n    pass\n\n\n{FROZEN}class Mine(Attack):\n{TRAITS}{RUN}", 9,
                 "Mine derives from none of the benchmark's own classes: write `from benchmark import contract as wm`"),
    "no-key": (f"{FROZEN}class Mine(wm.Scheme):\n    name = 'NAME'\n{METHODS}", 5,
               "Mine names no type of key: write `class MineKey(wm.Key)` and `class Mine(wm.Scheme[MineKey])`"),
    "open-key": (f"class MineKey(wm.Key):\n    n: int = wm.field(low=2)\n\n\n{SCHEME}{METHODS}", 4,
                 "MineKey is no dataclass, so its fields mean nothing: write `@dataclass(frozen=True, kw_only=True)`"),
    "no-rebind": (f"{KEY}{SCHEME}{METHODS.partition('    def rebind')[0]}", 10,
                  "Mine lacks rebind: write `def rebind(self, key, secret)`"),
    "no-package": (f"import no_such_package\n{FROZEN}class Mine(wm.Attack):\n{TRAITS}{RUN}", 4,
                   "the plug-in can't be imported: ModuleNotFoundError: No module named 'no_such_package': install"),
    "no-such-name": (f"from benchmark.contract import Wizard\n{FROZEN}class Mine(wm.Attack):\n{TRAITS}{RUN}", 4,
                     "`from benchmark import contract as wm` has all that a plug-in needs"),
    "ends-at-once": (f"{FROZEN}class Mine(wm.Attack):\n{TRAITS}{RUN}\nraise SystemExit(4)\n", 12,
                     'SystemExit: 4: a plug-in is imported and never run as a program: write that under `if __name__'),
}  # fmt: skip


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    found = Zygote([import_check.__name__, "benchmark.contract"], tmp_path_factory.mktemp("zygote") / "log")
    yield found
    found.close()


def plugin(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name.replace('-', '_')}.py"
    path.write_text(HEAD + text.replace("NAME", name))
    return path


def faults(zygote: Zygote, path: Path) -> list[str]:
    names = [one.class_name for one in read_declarations(path)]
    lines = import_check.import_told(zygote, path, names, path.with_suffix(".log"), None).lines
    return [line["fault"] for line in lines if "fault" in line]


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_holds_no_plugin(zygote: Zygote, tmp_path: Path, name: str) -> None:
    text, line, words = BAD[name]
    path = plugin(tmp_path, name, text)
    (fault,) = faults(zygote, path)
    assert re.match(rf"{re.escape(str(path))}:{line}: ", fault), fault
    assert words in fault
    assert "\n" not in fault


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import os; os._exit(3)", "while it was imported it ended the process that it ran in (exit code 3)"),
        ("import time; time.sleep(60)", "while it was imported it did not end within 1 s: write what takes long"),
    ],
)
def test_an_import_that_does_not_come_back(
    zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    monkeypatch.setattr(import_check, "IMPORT_SECONDS", 1.0)
    path = plugin(tmp_path, "late", f"{line}\n{FROZEN}class Mine(wm.Attack):\n{TRAITS}{RUN}")
    (fault,) = faults(zygote, path)
    assert fault.startswith(f"{path}: ")
    assert words in fault


def test_a_good_file_has_no_fault_and_finds_the_helper_beside_it(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("SHARE = 0.5\n")
    text = f"from helper import SHARE\nfrom attacks.prune import Prune\n\n\nclass Mine(Prune):\n{TRAITS}"
    path = plugin(tmp_path, "mine", text)  # a subclass without parameters of its own needs no decorator
    assert faults(zygote, path) == []
    path.write_text(path.read_text() + "torch.set_printoptions(precision=7)\n")
    told = import_check.import_told(zygote, path, ["Mine"], tmp_path / "log", None).lines
    assert told == [{"changed": ["torch's print options"]}]


def test_a_run_says_the_same_before_its_first_job(finished: Path, tmp_path: Path) -> None:
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    before, board = stamps(results), (results / "small" / "run.json").read_bytes()
    bad = [plugin(tmp_path, name, BAD[name][0]) for name in ("no-package", "no-run")]
    options = [word for path in bad for word in ("--plugin", str(path))]
    attacks = "prune(amount=0.4),none,no-package,no-run"
    code, _, error = bench_here(*arguments(results, *options, attacks=attacks))
    assert code == 2
    assert [line.split(": ", 1)[0] for line in error.splitlines()] == [f"{bad[0]}:4", f"{bad[1]}:5"]
    assert stamps(results) == before
    assert (results / "small" / "run.json").read_bytes() == board
    # one that is not chosen is not imported
    assert bench_here(*arguments(results, *options, attacks="none"))[0] == 0
