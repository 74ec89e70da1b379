"""Plug-ins are found without being imported, and imported once, under the right name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.errors import BenchError
from benchmark.plugins.registry import Registry, load, load_class

ROOT = Path(__file__).resolve().parents[3]


def plugin(path: Path, name: str = "toy-prune", *, base: str = "Attack", top: str = "") -> Path:
    """A file with one plug-in that needs neither torch nor the contract."""
    path.parent.mkdir(parents=True, exist_ok=True)
    traits = 'family = "toys"; kind = "removal"' if base == "Attack" else 'paper = "none"'
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from benchmark.plugins.parameters import parameter\n"
        f"{top}\n"
        f"class {base}: pass\n"
        "@dataclass(frozen=True)\n"
        f"class Toy({base}):\n"
        f'    name = "{name}"; {traits}\n'
        '    amount: float = parameter(0.5, "share", low=0, high=1)\n'
    )
    return path


def python(script: str, folder: Path) -> str:
    """What `script` prints in a fresh process in which `folder` holds the built-ins."""
    (folder / "benchmark").symlink_to(ROOT / "benchmark")
    for package in ("attacks", "schemes"):
        (folder / package).mkdir(exist_ok=True)
        (folder / package / "__init__.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plugin_files_are_found_and_not_run(tmp_path: Path) -> None:
    files = [
        plugin(tmp_path / "b.py", "toy-b", top="raise SystemExit('imported')"),
        plugin(tmp_path / "a.py", "toy-a"),
        plugin(tmp_path / "s.py", "toy-a", base="Scheme"),
    ]
    registry = Registry.discover([*files, files[0]])
    names = [one.name for one in registry.attacks if one.name.startswith("toy-")]
    assert names == ["toy-a", "toy-b"]
    assert [one.name for one in registry.attacks] == sorted(one.name for one in registry.attacks)
    assert registry.find("scheme", "toy-a").role == "scheme"
    assert registry.find("attack", "toy-a").role == "attack"
    assert registry.find("attack", "toy-b").origin == "plugin"
    assert registry.find("attack", "toy-b").source == files[0].resolve()


def test_unknown_names_get_close_matches(tmp_path: Path) -> None:
    registry = Registry.discover([plugin(tmp_path / "a.py", "toy-prune")])
    with pytest.raises(BenchError, match="no attack is named 'toy-prone': did you mean 'toy-prune'"):
        registry.find("attack", "toy-prone")
    with pytest.raises(BenchError, match=r"no attack is named 'zzzzzz'; there are .*toy-prune"):
        registry.find("attack", "zzzzzz")
    with pytest.raises(BenchError, match="no scheme is named 'toy-prune'"):
        registry.find("scheme", "toy-prune")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1\nclass Toy(Attack:\n", "plugin.py:2: this is not valid Python"),
        ("x = 1\n", "plugin.py: no plug-in inside: write a class that derives from Scheme or Attack"),
        ('class Toy(Attack):\n    name = "toy"\n', "plugin.py:1: Toy: an attack must say its family"),
    ],
)
def test_a_named_file_must_be_right(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "plugin.py"
    path.write_text(content)
    with pytest.raises(BenchError) as caught:
        Registry.discover([path])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ('@wm.builder("resnet18")', "the builder name 'resnet18' is taken by"),
        ('@wm.builder(name="resnet18")', "the builder name 'resnet18' is taken by"),
        ("@wm.builder(NAME)", "plugin.py:6: the name of a builder must be a literal text, not `wm.builder(NAME)`"),
        ("@wm.builder(7)", "plugin.py:6: the name of a builder must be a literal text"),
        ('@wm.builder("mine")', "plugin.py:9: two builders are named 'mine': rename one"),
    ],
)
def test_a_builder_s_name_is_literal_and_its_own(tmp_path: Path, mark: str, words: str) -> None:
    net = f"{mark}\nclass First: ...\n"
    top = f'NAME = "resnet18"\n{net}\n{net}' if "mine" in mark else f'NAME = "resnet18"\n{net}'
    with pytest.raises(BenchError) as caught:
        Registry.discover([plugin(tmp_path / "plugin.py", top="\n" + top)])
    assert words in str(caught.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"absent\.py"):
        Registry.discover([tmp_path / "absent.py"])


def test_a_link_is_followed_and_a_circle_of_links_is_named(tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to(plugin(tmp_path / "there" / "a.py"))
    (tmp_path / "circle.py").symlink_to(tmp_path / "circle.py")
    assert Registry.discover([tmp_path / "link.py"]).find("attack", "toy-prune").source == tmp_path / "there" / "a.py"
    with pytest.raises(BenchError, match=r"circle\.py.* leads to no file|circle\.py: the file can't be read"):
        Registry.discover([tmp_path / "circle.py"])


@pytest.mark.parametrize("line", [b"toy", b"toy = \xff"])
def test_a_damaged_installation_is_left_out_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    info = tmp_path / "toyhurt-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_bytes(b"[watermark_bench.attacks]\n" + line)
    monkeypatch.syspath_prepend(tmp_path)
    (broken,) = Registry.discover().broken
    assert str(tmp_path) in broken.reason
    assert broken.reason.endswith("install it again")


def test_a_clash_names_both_files(tmp_path: Path) -> None:
    first, second = plugin(tmp_path / "a.py"), plugin(tmp_path / "b.py")
    with pytest.raises(BenchError) as caught:
        Registry.discover([first, second])
    assert "'toy-prune' is taken" in str(caught.value)
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_built_ins(tmp_path: Path) -> None:
    plugin(tmp_path / "attacks/__init__.py", top="raise SystemExit('imported')")
    plugin(tmp_path / "attacks/prune.py", "prune")
    plugin(tmp_path / "attacks/twin.py", "prune")
    plugin(tmp_path / "schemes/adi.py", "adi", base="Scheme", top="raise SystemExit('imported')")
    (tmp_path / "attacks/helper.py").write_text("x = 1\n")
    (tmp_path / "attacks/torn.py").write_text("class Torn(Attack:\n")
    out = python(
        "from benchmark.plugins.registry import Registry\n"
        "from benchmark.errors import BenchError\n"
        "r = Registry.discover([])\n"
        "print(*[(d.name, d.origin, d.source.name) for d in r.attacks + r.schemes])\n"
        "for b in r.broken: print(b.path.name, '|', b.reason)\n"
        "for name in ('torn', 'twin'):\n"
        "    try: r.find('attack', name)\n"
        "    except BenchError as error: print(error)\n",
        tmp_path,
    )
    found, torn, twin, *asked = out.splitlines()
    assert "('prune', 'built-in', 'prune.py')" in found
    assert "('adi', 'built-in', 'adi.py')" in found
    assert "twin.py" not in found
    assert torn.startswith("torn.py | ")
    assert "torn.py:1: this is not valid Python" in torn
    assert twin.startswith("twin.py | ")
    assert "'prune' is taken by" in twin
    assert ["can't be used" in line for line in asked] == [True, True]


def test_a_named_file_may_be_a_built_in(tmp_path: Path) -> None:
    plugin(tmp_path / "attacks/prune.py", "prune")
    (tmp_path / "attacks/torn.py").write_text("class Torn(Attack:\n")
    out = python(
        "from pathlib import Path\n"
        "from benchmark.plugins.registry import Registry\n"
        "from benchmark.errors import BenchError\n"
        "print(Registry.discover([Path('attacks/prune.py')]).find('attack', 'prune').origin)\n"
        "try: Registry.discover([Path('attacks/torn.py')])\n"
        "except BenchError as error: print(error)\n",
        tmp_path,
    )
    assert out.splitlines()[0] == "plugin"  # so that it is trusted like any other file
    assert "torn.py:1: this is not valid Python" in out.splitlines()[1]


def test_built_ins_are_imported_once_under_their_own_name(tmp_path: Path) -> None:
    path = plugin(tmp_path / "attacks/prune.py", "prune", top="print('running', __name__)")
    out = python(
        "from pathlib import Path\n"
        "from benchmark.plugins.registry import Registry, load, load_class\n"
        f"one = load_class(Path({str(path)!r}), 'Toy')\n"
        "import attacks.prune\n"
        "assert one is attacks.prune.Toy is load(Registry.discover([]).find('attack', 'prune'))\n",
        tmp_path,
    )
    assert out.splitlines() == ["running attacks.prune"]


def test_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path / "toyacme/__init__.py", top="TOP = True")
    path = plugin(tmp_path / "toyacme/inner.py", "toy-inner")
    (tmp_path / "toyacme/torn.py").write_text("class Torn(Attack:\n")
    (tmp_path / "toyacme/empty.py").write_text("")
    info = tmp_path / "toyacme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toyacme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[watermark_bench.attacks]\ninner = toyacme.inner\ntorn = toyacme.torn\nempty = toyacme.empty:Toy\n"
        "[watermark_bench.schemes]\ngone = toyacme.gone\nagain = toyacme.inner\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry.discover([])
    assert registry.find("attack", "toy-inner").origin == "entry point"
    assert registry.find("attack", "toy-inner").source == path.resolve()
    assert not any(name.startswith("toyacme") for name in sys.modules)
    reasons = {broken.path.name: broken.reason for broken in registry.broken}
    assert "inner.py" not in reasons  # named twice, read once
    assert "torn.py:1: this is not valid Python" in reasons["torn.py"]
    assert "no plug-in inside" in reasons["empty.py"]
    assert "'gone' of watermark_bench.schemes names the module 'toyacme.gone'" in reasons["toyacme.gone"]
    assert load(registry.find("attack", "toy-inner")).__module__ == "toyacme.inner"
    for name in ("toyacme.inner", "toyacme"):
        monkeypatch.delitem(sys.modules, name)


def test_a_plugin_file_is_loaded_once_under_a_name_of_its_path(tmp_path: Path) -> None:
    first = plugin(tmp_path / "one" / "my attack.py", "toy-one")
    second = plugin(tmp_path / "two" / "my attack.py", "toy-two")
    one, two = load_class(first, "Toy"), load_class(second, "Toy")
    assert one is not two
    assert one is load_class(first, "Toy") is load(Registry.discover([first]).find("attack", "toy-one"))
    assert sys.modules[one.__module__].__file__ == str(first.resolve())
    assert one().amount == 0.5


def test_a_plugin_file_needs_no_suffix(tmp_path: Path) -> None:
    assert load_class(plugin(tmp_path / "attack.txt"), "Toy").__name__ == "Toy"


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ("import toy_module_that_is_not_there", ":4: .*ModuleNotFoundError: No module named 'toy_module"),
        ("raise SystemExit('bye')", ":4: .*SystemExit: bye"),
        ("import json; json.loads('{')", ":4: .*JSONDecodeError"),
        ("return 5", ":4: .*SyntaxError"),
    ],
)
def test_an_import_that_fails_names_the_line(tmp_path: Path, top: str, words: str) -> None:
    path = plugin(tmp_path / "plugin.py", top=top)
    before = set(sys.modules)
    with pytest.raises(BenchError, match=rf"plugin\.py{words}"):
        load_class(path, "Toy")
    assert not any(name.endswith(".plugin") for name in set(sys.modules) - before)


def test_a_class_that_is_gone_after_the_import(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no class Other inside"):
        load_class(plugin(tmp_path / "plugin.py"), "Other")
