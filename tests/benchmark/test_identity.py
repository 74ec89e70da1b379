"""Names of results: equal things get equal names, on every machine, and different things different ones."""

from __future__ import annotations

import enum
import hashlib
import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from benchmark.identity import canonical, job_id, module_name, module_source, source_hash, stream_seed

ROOT = Path(__file__).resolve().parents[2]

HASH = "import sys, pathlib, benchmark.identity as i; print(i.source_hash(pathlib.Path(sys.argv[1])))"


class Word(enum.StrEnum):
    A = "a"


def test_canonical_text() -> None:
    value = {"b": [1, 2.0, True, None], "a": {"z": "é", "y": (1e-07, 0.1)}}
    assert canonical(value) == '{"a":{"y":[1e-07,0.1],"z":"\\u00e9"},"b":[1,2.0,true,null]}'
    assert canonical(OrderedDict(reversed(value.items()))) == canonical(value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [-float("inf")]])
def test_canonical_refuses_what_is_not_finite(bad: object) -> None:
    with pytest.raises(ValueError, match="finite"):
        canonical(bad)


@pytest.mark.parametrize("bad", [{1: 2}, {"a": {None: 1}}, {1, 2}, b"x", Path("x"), Word.A, {"a": object()}])
def test_canonical_refuses_what_json_has_no_word_for(bad: object) -> None:
    with pytest.raises(TypeError, match="canonical form"):
        canonical(bad)


def test_job_id_is_the_sha256_of_the_canonical_text() -> None:
    assert job_id({"b": 1, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()
    assert job_id({"amount": 1}) != job_id({"amount": 1.0})


def test_stream_seed() -> None:
    seeds = {stream_seed(0, "owner", "adi"), stream_seed(0, "thief", "adi"), stream_seed("0", "owner", "adi")}
    seeds |= {stream_seed(0, "owner", "ad", "i"), stream_seed(1, "owner", "adi")}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert stream_seed(0, "owner") == int(hashlib.sha256(b'[0,"owner"]').hexdigest()[:16], 16) >> 1


def test_module_source_and_name_mirror_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toypack" / "inner"
    package.mkdir(parents=True)
    for path in (package.parent / "__init__.py", package / "__init__.py", package / "part.py"):
        path.write_text("raise SystemExit('imported')\n")
    (tmp_path / "toysingle.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name, path in {
        "toypack": package.parent / "__init__.py",
        "toypack.inner": package / "__init__.py",
        "toypack.inner.part": package / "part.py",
        "toysingle": tmp_path / "toysingle.py",
    }.items():
        assert module_source(name) == path.resolve()
        assert module_name(path) == name
        assert name not in sys.modules
    for absent in ("toypack.gone", "toysingle.part", "toygone", "toygone.part", "sys", ""):
        assert module_source(absent) is None
    stray = tmp_path / "elsewhere" / "stray.py"
    stray.parent.mkdir()
    stray.write_text("")
    assert module_name(stray) is None


FILES = {
    "benchmark/__init__.py": "",
    "benchmark/kernel.py": "k = 1\n",
    "benchmark/deep.py": "thing = 1\n",
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
    "schemes/__init__.py": "",
    "schemes/adi.py": "from benchmark.deep import thing\n",
    "acme/__init__.py": "",
    "acme/tool.py": "y = 1\n",
    "acme/mark.py": "from acme.tool import y\n",
    "plugin.py": "from attacks.prune import f\n",
}


def hashed(root: Path, target: str, changes: dict[str, str] | None = None) -> str:
    """The hash of `target` in a fresh process in which FILES are all the first-party code there is."""
    identity = {"benchmark/identity.py": (ROOT / "benchmark/identity.py").read_text()}
    for name, text in (identity | FILES | (changes or {})).items():
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
        ("acme/mark.py", "acme/tool.py", True),  # the plug-in's own package
        ("plugin.py", "benchmark/deep.py", True),
        ("plugin.py", "attacks/other.py", False),
    ],
)
def test_source_hash_follows_the_imports(tmp_path: Path, target: str, changed: str, matters: bool) -> None:
    before = hashed(tmp_path / "a", target)
    text = FILES[changed] + "# changed\n"
    after = hashed(tmp_path / "b", target, {changed: text})
    assert (before != after) is matters


def test_source_hash_of_a_circle_ends(tmp_path: Path) -> None:
    assert hashed(tmp_path, "attacks/round.py") != hashed(tmp_path, "attacks/trip.py")


def test_source_hash_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "plugin.py"
    path.write_text("x = 1\n")
    first = source_hash(path)
    path.write_text("x = 2\n")
    assert source_hash(path) == first
    assert len(first) == 64


@pytest.mark.parametrize("module", ["plugins.parameters", "plugins.registry", "plugins.selection", "identity"])
def test_nothing_heavy_is_imported(module: str) -> None:
    script = (
        f"import sys, pathlib, benchmark.{module}\n"
        "from benchmark.plugins.registry import Registry\n"
        "Registry.discover([])\n"
        "heavy = {'torch', 'numpy', 'rich', 'schemes', 'attacks', 'benchmark.contract'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
