"""The plan of the house: rooms import only from rooms before them, and none is too large to enter."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = (  # docs/architecture.md shows the same order as a picture
    (
        "benchmark.errors",
        "benchmark.vocabulary",
        "benchmark.identity",
        "benchmark.description",
        "benchmark.files",
    ),
    ("benchmark.digest",),
    ("benchmark.crypto",),
    ("leaderboard.stats",),
    ("benchmark.plugins",),
    ("benchmark.data",),
    ("benchmark.architectures",),
    ("benchmark.training",),
    ("benchmark.protocol", "benchmark.contract"),
    ("schemes", "attacks"),
    ("benchmark.store",),
    ("benchmark.planning",),
    ("leaderboard.judge",),
    ("benchmark.execution",),
    ("leaderboard.analysis",),
    ("leaderboard.dataframe",),
    ("leaderboard.pages",),
    ("benchmark.app",),
    ("benchmark.cli",),
)
MOST_LINES, MOST_ENTRIES = 312, 18
FIRST_PARTY = ("benchmark", "schemes", "attacks", "leaderboard")


def sources() -> dict[str, Path]:
    """Every module of the four packages, by its dotted name."""
    paths = (path for package in FIRST_PARTY for path in sorted((ROOT / package).rglob("*.py")))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imports(path: Path, known: set[str]) -> Iterator[str]:
    """The first-party modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in FIRST_PARTY:
            assert not node.level, f"{path}: write the import in full"
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & known
            yield from inside or {node.module}


def packages(tree: ast.Module) -> set[str]:
    """The top names of all that a file imports, also inside functions."""
    plain = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    froms = [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in (*plain, *froms)}


def contents(folder: Path) -> list[Path]:
    """The files and folders that a reader meets, without what marks a package and what Python leaves behind."""
    return [path for path in folder.iterdir() if not path.name.startswith((".", "__")) and path.name != "py.typed"]


def folders() -> Iterator[Path]:
    """The folders of the packages and of their tests, at every depth, without the generated pages of boards."""
    waiting = [ROOT / name for name in (*FIRST_PARTY, "tests")]
    while waiting:
        folder = waiting.pop()
        yield folder
        waiting += [path for path in contents(folder) if path.is_dir() and path != ROOT / "leaderboard" / "published"]


def floor(module: str) -> int:
    for number, rooms in enumerate(ORDER):
        if any(module == room or module.startswith(f"{room}.") for room in rooms):
            return number
    assert module in FIRST_PARTY, f"{module} is in no room: name it in ORDER"
    return len(ORDER) if module == "leaderboard" else 0  # a façade for users: no room imports it


def graph() -> dict[str, set[str]]:
    """Which modules import which. What `benchmark` offers users is imported when it is asked for: above every room."""
    found = sources()
    return {
        module: set(imports(path, set(found))) - {module} if module != "benchmark" else set()
        for module, path in found.items()
    }


def test_a_room_imports_only_from_rooms_before_it() -> None:
    wrong = [f"{one} imports {two}" for one, those in graph().items() for two in those if floor(one) < floor(two)]
    assert not wrong, "\n".join(wrong)


def test_there_is_no_circle() -> None:
    assert len(list(TopologicalSorter(graph()).static_order())) == len(sources())


def test_plug_ins_import_the_contract_and_each_other_at_most() -> None:
    for module, those in graph().items():
        if module.split(".")[0] in ("schemes", "attacks"):
            rest = {one for one in those if not one.startswith(module.split(".")[0])}
            assert rest <= {"benchmark", "benchmark.contract"}, f"{module} imports {sorted(rest)}"


def test_leaderboard_knows_records_and_the_words_of_a_plan() -> None:
    allowed = (
        "benchmark.errors", "benchmark.vocabulary", "benchmark.description", "benchmark.files",
        "benchmark.store.records", "benchmark.store.results", "benchmark.store.gc_pause", "benchmark.store.ensemble",
        "benchmark.store.retry", "benchmark.store.run_description", "benchmark.store.secret",
        "benchmark.plugins.parameters", "benchmark.planning.reproduction", "benchmark.planning.tolerance",
    )  # fmt: skip
    for module, those in graph().items():
        if module.startswith("leaderboard"):
            rest = {one for one in those if one.startswith("benchmark") and one not in allowed}
            assert not rest, f"{module} imports {sorted(rest)}"


def test_only_app_and_cli_use_verdicts_and_pages() -> None:
    above = ("leaderboard.judge", "leaderboard.analysis", "leaderboard.pages")
    for module, those in graph().items():
        if module.startswith("benchmark.") and not module.startswith(("benchmark.app", "benchmark.cli")):
            assert not [one for one in those if one.startswith(above)], module


def test_leaderboard_never_imports_torch() -> None:
    for module, path in sources().items():
        if module.startswith("leaderboard"):
            assert "torch" not in packages(ast.parse(path.read_text())), module


@pytest.mark.parametrize(
    "line",
    ["import torch", "import os, torch.nn as nn", "from torch import Tensor", "def f():\n    from torch.nn import X"],
)
def test_torch_is_seen_however_it_is_imported(line: str) -> None:
    assert "torch" in packages(ast.parse(line))


def test_no_inner_package_imports_anything_when_it_is_entered() -> None:
    for module, path in sources().items():
        if path.name == "__init__.py" and module not in (*FIRST_PARTY, "benchmark.cli"):
            text = path.read_text()
            said = f'"""{ast.get_docstring(ast.parse(text))}"""\n' if module.startswith("attacks.") else ""
            assert text == said, f"{module}: an inner room's __init__.py is empty, a folder of attacks' one sentence"


def test_files_are_short_and_folders_small() -> None:
    for path in sources().values():
        assert len(path.read_text().splitlines()) <= MOST_LINES, f"{path} is too long for one subject"
    entries = {folder: len(contents(folder)) for folder in folders()}
    assert {ROOT / "tests", ROOT / "leaderboard" / "pages" / "sections"} < set(entries)
    assert not {folder: n for folder, n in entries.items() if n > MOST_ENTRIES}
    for page in ("AGENTS.md", "docs/architecture.md"):
        assert re.search(rf"\b{MOST_ENTRIES} entries\b", (ROOT / page).read_text()), page


def test_a_capitalised_name_has_one_meaning() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for module, path in sources().items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module)
            elif isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name):
                homes[target.id].append(module)
    twice = {name: those for name, those in homes.items() if len(those) > 1 and name[0].isupper()}
    assert not twice
