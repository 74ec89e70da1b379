"""What the digest of a file follows: first-party imports to their definitions, wherever these lie."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError

ROOT = Path(__file__).resolve().parents[3]
HASH = "import sys, pathlib, benchmark.digest.code_digest as i; print(i.source_hash(pathlib.Path(sys.argv[1])))"


FILES = {
    "benchmark/__init__.py": "",
    "benchmark/kernel.py": "k = 1\n",
    "benchmark/deep.py": "thing = 1\nrest = 2\n",
    "benchmark/errors.py": "class BenchError(Exception): ...\nx = 1\n",
    "benchmark/facade.py": "from benchmark.deep import thing\n__all__ = ['thing']\n",
    "attacks/__init__.py": "",
    "attacks/prune.py": (
        "import os\nfrom benchmark import kernel\nfrom acme import tool\ndef f():\n    import schemes.adi\n"
    ),
    "attacks/other.py": "x = 1\n",
    "attacks/near.py": "from . import other as o\nfrom .prune import f\n",
    "attacks/round.py": "import attacks.trip\n",
    "attacks/trip.py": "import attacks.round\n",
    "attacks/typed.py": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from attacks import other\nelse:\n    import attacks.trip\n"
    ),
    "attacks/faced.py": "from benchmark.facade import thing\nfrom benchmark.errors import BenchError\n",
    "attacks/short.py": "from benchmark import facade as wm\nx = wm.thing\n",
    "attacks/whole.py": "from benchmark import facade as wm\nx = wm.thing\ny = vars(wm)\n",
    "schemes/__init__.py": "",
    "schemes/adi.py": "from benchmark.deep import thing\n",
    "acme/__init__.py": "",
    "acme/tool.py": "y = 1\n",
    "acme/mark.py": "from acme.tool import y\n",
    "plugin.py": "from attacks.prune import f\n",
    "box/mine.py": "import helper\nfrom lib.part import p\ndef f():\n    from pack.inner import i\nx = helper.h\n",
    "box/helper.py": "from third import h\nk = 1\n",
    "box/third.py": "h = 1\n",
    "box/lib/part.py": "p = 1\n",
    "box/pack/__init__.py": "",
    "box/pack/inner.py": "from .deeper import i\n",
    "box/pack/deeper.py": "i = 1\n",
    "box/pack/inside.py": "from .deeper import i\nimport helper\n",
    "box/alone.py": "x = 1\n",
}


def hashed(root: Path, target: str, changes: dict[str, str] | None = None) -> str:
    """The hash of `target` in a fresh process in which FILES are all the first-party code there is."""
    digest = tuple(f"digest/{name}" for name in ("__init__", "modules", "normal_form", "kept_forms", "code_digest"))
    own = {
        f"benchmark/{name}.py": (ROOT / f"benchmark/{name}.py").read_text() for name in ("files", "identity", *digest)
    }
    for name, text in (own | FILES | (changes or {})).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    run = [sys.executable, "-c", HASH, str(root / target)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(run, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("target", "changed", "matters"),
    [
        ("attacks/prune.py", "attacks/prune.py", True),
        ("attacks/prune.py", "attacks/__init__.py", True),
        ("attacks/prune.py", "benchmark/kernel.py", True),  # from benchmark import kernel
        ("attacks/prune.py", "schemes/adi.py", True),  # imported inside a function
        ("attacks/prune.py", "schemes/__init__.py", True),
        ("attacks/prune.py", "benchmark/deep.py", True),  # through schemes/adi.py
        ("attacks/prune.py", "attacks/other.py", False),
        ("attacks/prune.py", "acme/tool.py", False),  # third party
        ("attacks/near.py", "attacks/other.py", True),  # from . import
        ("attacks/near.py", "benchmark/deep.py", True),  # from .prune, and on from there
        ("attacks/typed.py", "attacks/other.py", False),  # for the type checker only
        ("attacks/typed.py", "attacks/round.py", True),
        ("attacks/faced.py", "benchmark/deep.py", True),  # through the facade
        ("attacks/faced.py", "benchmark/errors.py", False),  # a module of NOT_NUMERIC
        ("acme/mark.py", "acme/tool.py", True),  # the plug-in's own package
        ("plugin.py", "benchmark/deep.py", True),
        ("plugin.py", "attacks/other.py", False),
        *(
            ("box/mine.py", f"box/{name}.py", name != "alone")  # what lies beside a plug-in
            for name in ("helper", "third", "lib/part", "pack/__init__", "pack/inner", "pack/deeper", "alone")
        ),
        ("box/pack/inside.py", "box/pack/deeper.py", True),
        ("box/pack/inside.py", "box/third.py", True),
    ],
)
def test_source_hash_follows_the_imports(tmp_path: Path, target: str, changed: str, matters: bool) -> None:
    before = hashed(tmp_path / "a", target)
    assert hashed(tmp_path / "b", target, {changed: FILES[changed] + "# a remark\n"}) == before
    after = hashed(tmp_path / "c", target, {changed: FILES[changed] + "changed = 1\n"})
    assert (before != after) is matters


@pytest.mark.parametrize(("target", "keeps"), [("faced", True), ("short", True), ("whole", False)])
def test_a_name_more_in_a_facade_renames_who_looks_at_all_of_it(tmp_path: Path, target: str, keeps: bool) -> None:
    more = "from benchmark.kernel import k\n" + FILES["benchmark/facade.py"].replace("]", ", 'k']")
    before = hashed(tmp_path / "a", f"attacks/{target}.py")
    assert (hashed(tmp_path / "b", f"attacks/{target}.py", {"benchmark/facade.py": more}) == before) is keeps


@pytest.mark.parametrize(
    ("old", "new", "keeps"),
    [
        ("benchmark.facade import thing", "benchmark.deep import thing", True),  # the definition itself
        ("benchmark.facade import thing", "benchmark.deep import rest as thing", False),
        ("benchmark.facade import thing", "benchmark.kernel import k as thing", False),
        ("import BenchError", "import Other as BenchError", False),
    ],
)
def test_an_import_counts_as_what_it_binds(tmp_path: Path, old: str, new: str, keeps: bool) -> None:
    before = hashed(tmp_path / "a", "attacks/faced.py")
    after = hashed(
        tmp_path / "b", "attacks/faced.py", {"attacks/faced.py": FILES["attacks/faced.py"].replace(old, new)}
    )
    assert (before == after) is keeps


def test_a_facade_that_does_more_than_pass_on_counts(tmp_path: Path) -> None:
    text = FILES["benchmark/facade.py"] + "thing.patched = True\n"
    before = hashed(tmp_path / "a", "attacks/faced.py", {"benchmark/facade.py": text})
    changed = {"benchmark/facade.py": text.replace("True", "False")}
    assert hashed(tmp_path / "b", "attacks/faced.py", changed) != before


def test_of_two_imports_of_one_name_the_last_holds(tmp_path: Path) -> None:
    lines = ["from benchmark.deep import thing\n", "from benchmark.kernel import k as thing\n", "import os\n"]
    one, two, three = (
        hashed(tmp_path / str(number), "plugin.py", {"plugin.py": "".join(lines[at] for at in order)})
        for number, order in enumerate([(0, 1, 2), (2, 0, 1), (1, 0, 2)])
    )
    assert one == two != three


def test_a_plugin_s_folder_may_move(tmp_path: Path) -> None:
    moved = {name.replace("box/", "elsewhere/"): text for name, text in FILES.items() if name.startswith("box/")}
    assert hashed(tmp_path, "box/mine.py") == hashed(tmp_path, "elsewhere/mine.py", moved)


def test_source_hash_of_a_circle_ends(tmp_path: Path) -> None:
    assert hashed(tmp_path, "attacks/round.py") == hashed(tmp_path, "attacks/trip.py")  # their text is one
    other = {"attacks/trip.py": FILES["attacks/trip.py"] + "x = 1\n"}
    assert hashed(tmp_path, "attacks/round.py", other) != hashed(tmp_path, "attacks/trip.py", other)


def test_source_hash_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "plugin.py"
    path.write_text("x = 1\n")
    first = source_hash(path)
    path.write_text("x = 2\n")
    assert source_hash(path) == first
    assert len(first) == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [("x = 1\ny = = 1\n", ":2: this is not valid Python"), ("from .. import x\n", "leads out of the package")],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "plugin.py"
    path.write_text(text)
    with pytest.raises(BenchError, match=re.escape(str(path)) + f".*{words}"):
        source_hash(path)
