"""Names of files and files of names; whose a name is, where several have it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmark.digest.modules import beside, module_name, module_source

ROOT = Path(__file__).resolve().parents[3]


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("raise SystemExit('imported')\n")


def test_of_what_is_installed_source_and_name_mirror_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "toypack/__init__.py", "toypack/inner/__init__.py", "toypack/inner/part.py", "toysingle.py")
    (tmp_path / "toypack-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for name, path in {
        "toypack": tmp_path / "toypack/__init__.py",
        "toypack.inner": tmp_path / "toypack/inner/__init__.py",
        "toypack.inner.part": tmp_path / "toypack/inner/part.py",
        "toysingle": tmp_path / "toysingle.py",
        "attacks.prune": ROOT / "attacks/prune.py",
    }.items():
        assert module_source(name) == path.resolve()
        assert module_name(path) == name
        assert not name.startswith("toy") or name not in sys.modules
    for absent in ("toypack.gone", "toysingle.part", "toygone", "toygone.part", "sys", ""):
        assert module_source(absent) is None


def test_what_is_not_installed_is_named_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "one", "tool.py", "my attack.py", "pack/__init__.py", "pack/tool.py", "pack/sub/__init__.py")
    write(tmp_path / "two", "tool.py")
    names = {path: module_name(path) for path in tmp_path.rglob("*.py")}
    assert len(set(names.values())) == len(names)
    assert {module_source(name) for name in names.values()} == set(names)
    folder = names[tmp_path / "one/tool.py"].removesuffix(".tool")
    assert names[tmp_path / "one/pack/sub/__init__.py"] == f"{folder}.pack.sub"
    monkeypatch.syspath_prepend(tmp_path / "one")
    assert module_name(tmp_path / "one/tool.py") == f"{folder}.tool"  # wherever the command is typed


def test_another_package_of_a_built_in_s_name_is_nobody_s_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "attacks/__init__.py", "attacks/prune.py", "attacks/mine.py", "benchmark/__init__.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert module_source("attacks.prune") == ROOT / "attacks/prune.py"
    assert module_source("benchmark") == ROOT / "benchmark/__init__.py"
    assert module_source("attacks.mine") is None
    assert module_name(tmp_path / "attacks/mine.py").endswith(".attacks.mine")
    assert module_name(tmp_path / "attacks/prune.py") != "attacks.prune"


@pytest.mark.parametrize("on_the_import_path", [False, True])
def test_what_a_plugin_finds_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_the_import_path: bool
) -> None:
    write(
        tmp_path, "plugin.py", "helper.py", "click.py", "random.py", "attacks/__init__.py", "lib/part.py", "rich/a.py"
    )
    write(tmp_path, "pack/__init__.py", "pack/plugin.py", "pack/near.py", "pack/click.py")
    if on_the_import_path:
        monkeypatch.syspath_prepend(tmp_path / "pack")
        monkeypatch.syspath_prepend(tmp_path)
    plain, packed = (module_name(tmp_path / name) for name in ("plugin.py", "pack/plugin.py"))
    folder = plain.removesuffix(".plugin")
    found = {name: beside(plain, name) for name in ("helper", "click", "lib.part", "pack.near", "pack")}
    assert found == {name: f"{folder}.{name}" for name in found}
    # Python's and the benchmark's own names; a folder of files against an installed package; nothing at all
    assert not [name for name in ("random", "attacks", "attacks.prune", "rich", "near", "torch") if beside(plain, name)]
    assert beside(packed, "near") == f"{folder}.pack.near"
    assert beside(packed, "helper") == f"{folder}.helper"
    assert beside(packed, "pack.near") == f"{folder}.pack.near"
    assert beside("attacks.prune", "helper") is None
