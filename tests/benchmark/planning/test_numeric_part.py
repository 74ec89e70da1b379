"""What counts as code of every result: all that the numeric part imports, and the page that names it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from benchmark.digest.code_digest import NOT_NUMERIC, code_files
from benchmark.digest.modules import module_source

from .changed_code import NUMERIC, ROOT, imported, tree_of, with_other_constant, with_other_import

OF_PLUGINS = {"benchmark/protocol/redrawing.py"}  # no job's body uses it: it counts with the plug-ins that do


def test_what_only_plug_ins_use_counts_with_them() -> None:
    assert not OF_PLUGINS & set(NUMERIC)
    for scheme in ("keynet", "content", "provenance"):
        counted = {str(path.relative_to(ROOT)) for path in code_files(ROOT / "schemes" / f"{scheme}.py")}
        assert counted >= OF_PLUGINS, scheme


def test_whatever_numeric_files_import_is_numeric_or_excused() -> None:
    used = {module for name in NUMERIC for module in imported(name)} | {"benchmark"}  # which runs before all of them
    files = {str(Path(source).relative_to(ROOT)) for one in used - NOT_NUMERIC.keys() if (source := module_source(one))}
    assert files <= set(NUMERIC)
    assert NOT_NUMERIC.keys() <= used, "an excuse that nobody needs"
    assert all(module_source(one) for one in NOT_NUMERIC)


def test_the_page_names_the_numeric_part() -> None:
    page = (ROOT / "docs/identity.md").read_text()
    (paragraph,) = re.findall(r"^`engine` covers .*?\n\n", page, re.DOTALL | re.MULTILINE)
    named = [ROOT / "benchmark" / one.removeprefix("benchmark/") for one in re.findall(r"`([\w/.]+)`", paragraph)]
    files = {inside for one in named for inside in ([one] if one.is_file() else one.glob("[!_]*.py"))}
    assert {str(one.relative_to(ROOT)) for one in files} == set(NUMERIC) | OF_PLUGINS


def test_rooms_that_compute_are_numeric_as_a_whole() -> None:
    """Builders of nets are found by name while a job runs, so every file that has some counts."""
    for room in ("protocol", "training", "architectures"):
        files = {str(path.relative_to(ROOT)) for path in (ROOT / "benchmark" / room).glob("*.py") if path.read_text()}
        assert files - OF_PLUGINS <= set(NUMERIC)
    read = {
        "splits",
        "torchvision_sets",
        "class_folders",
        "degraded_photos",
        "image_files",
    }  # and their bytes are hashed
    assert {f"benchmark/data/{one}.py" for one in read} <= set(NUMERIC)


def test_the_changes_that_these_tests_make() -> None:
    batches = "benchmark/training/batches.py"
    original = ast.unparse(tree_of(batches)).splitlines()
    for changed in (with_other_constant(batches), with_other_import(batches, first_party=True)):
        assert sum(old != new for old, new in zip(original, changed.splitlines(), strict=True)) == 1
    assert "import something_else as dataclass" in with_other_import(batches, first_party=False)
    assert "import something_else as Data, as_float" in with_other_import(batches, first_party=True)
