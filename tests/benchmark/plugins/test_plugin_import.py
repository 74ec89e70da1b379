"""A plug-in finds the files beside it, its own and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

import attacks.prune as built_in
from benchmark.errors import BenchError
from benchmark.plugins.registry import load_class

FOLDER = {
    "plugin.py": """
import importlib.util
import random
import helper
import lib.part
import pack.inner as inner
from helper import word as said
from pack import near

class Toy:
    def run(self):
        import late
        from pack.inner import deep
        return [helper.word, said, lib.part.word, inner.deep, deep, near.word, late.word, random.Random(0).random()]
""",
    "helper.py": "from other import word\n",
    "other.py": "word = 'WORD'\n",
    "late.py": "word = 'late'\n",
    "random.py": "raise SystemExit('a part of Python comes from Python')\n",
    "lib/part.py": "word = 'part'\n",
    "pack/__init__.py": "",
    "pack/inner.py": "from .near import word as deep\n",
    "pack/near.py": "word = 'near'\n",
    "pack/plugin.py": "from . import near\nimport helper\nclass Toy:\n    word = helper.word + near.word\n",
}


def folder(path: Path, word: str) -> Path:
    for name, text in FOLDER.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text.replace("WORD", word))
    return path


def test_two_plugins_have_each_their_own_helpers(tmp_path: Path) -> None:
    before = sys.path.copy()
    one, two = (load_class(folder(tmp_path / word, word) / "plugin.py", "Toy") for word in ("one", "two"))
    for word, plugin in (("one", one), ("two", two), ("one", one)):
        assert plugin().run()[:-1] == [word, word, "part", "near", "near", "near", "late"]
    assert sys.path == before
    assert not {"helper", "other", "late", "lib", "pack"} & sys.modules.keys()
    with pytest.raises(ModuleNotFoundError):
        import helper  # noqa: F401
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_plugin_inside_a_package(tmp_path: Path) -> None:
    assert load_class(folder(tmp_path, "word") / "pack/plugin.py", "Toy").word == "wordnear"


def test_names_that_no_import_statement_could_write(tmp_path: Path) -> None:
    source = FOLDER["plugin.py"]
    for name in ("my attack-2.py", "attack.v2.py", "attack", "attack.txt"):
        (folder(tmp_path, "word") / name).write_text(source)
        assert load_class(tmp_path / name, "Toy")().run()[0] == "word"


def test_an_edit_within_the_same_second_is_what_runs(tmp_path: Path) -> None:
    path = tmp_path / "plugin.py"
    show = "import sys; from pathlib import Path; from benchmark.plugins.registry import load_class\n"
    show += "print(load_class(Path(sys.argv[1]), 'Toy').word)"
    for word in ("old", "new"):
        path.write_text(f"class Toy:\n    word = '{word}'\n")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        done = subprocess.run([sys.executable, "-c", show, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == word


def test_a_helper_that_fails_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path, "word") / "plugin.py"
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(BenchError, match=r"plugin\.py:4: .*ImportError: cannot import name 'word' .*other\.py"):
        load_class(path, "Toy")


def test_another_package_of_a_built_in_s_name_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_class(Path(built_in.__file__), "PruneStructured") is built_in.PruneStructured
    theirs = ModuleType("attacks")
    theirs.__spec__ = ModuleSpec("attacks", None, origin=str(tmp_path / "attacks/__init__.py"))
    monkeypatch.setitem(sys.modules, "attacks", theirs)
    with pytest.raises(BenchError, match=r"^`import attacks` finds .* in place of .*see bench doctor"):
        load_class(Path(built_in.__file__), "PruneStructured")
