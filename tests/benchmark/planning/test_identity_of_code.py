"""What renames results: every constant and import of the numeric part, and no wording, move or new re-export."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from benchmark.digest.code_digest import NOT_NUMERIC, numeric_files
from benchmark.digest.modules import FIRST_PARTY, module_source
from benchmark.plugins.registry import Registry

ROOT = Path(__file__).resolve().parents[3]
NUMERIC = [str(path.relative_to(ROOT)) for path, digest in sorted(numeric_files().items()) if digest]
# parts of the harness that no job body imports, and that count for the plug-ins that do
LENT = ["benchmark/crypto/commitment.py", "benchmark/data/trigger_images.py"]
PLUGINS = [str(path.relative_to(ROOT)) for package in ("schemes", "attacks")
           for path in sorted((ROOT / package).rglob("[!_]*.py"))]  # fmt: skip
SOURCES = {(one.role, one.name): str(one.source.relative_to(ROOT)) for role in ("scheme", "attack")
           for one in Registry.discover().of(role)}  # fmt: skip
SMALL = "adi(),rose(),keynet()", "none,prune(amount=0.5),finetune(mode=ftal)"
NO_PLAN = "", ""
WHOLE = tuple(",".join(f"{name}()" for role, name in SOURCES if role == wanted) for wanted in ("scheme", "attack"))

# Plans one matrix, or none, for each variant of the tree, in a process of its own: caches start out as they were.
PLANNER = """
import json, os, sys
from pathlib import Path
from benchmark.digest.code_digest import engine_hash
from benchmark.digest.normal_form import normal_form
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

for path in Path().rglob("*.py"):
    normal_form(path.read_bytes())
for line in sys.stdin:
    variant, schemes, attacks = json.loads(line)
    before = {name: Path(name).read_bytes() for name in variant if Path(name).exists()}
    for name, text in variant.items():
        Path(name).unlink(missing_ok=True) if text is None else Path(name).write_text(text)
    if not (child := os.fork()):
        jobs = {}
        if schemes:
            registry = Registry.discover()
            profile = load_profile("quick").with_options(seeds=1)
            plan = make_plan(profile, select_schemes(schemes, registry), select_attacks(attacks, registry), {})
            jobs = {job.id: [job.label, json.dumps(job.payload)] for job in plan.jobs}
        print(json.dumps({"engine": engine_hash(), "jobs": jobs}), flush=True)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status:
        print("null", flush=True)
    for name in variant:
        Path(name).unlink(missing_ok=True)
    for name, content in before.items():
        Path(name).write_bytes(content)
"""

Variant = Mapping[str, str | None]  # file: its text, or None where there is none
Planned = Mapping[str, Any]


class Planner(Protocol):
    def __call__(self, variant: Variant, matrix: tuple[str, ...] = SMALL) -> Planned: ...


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    tree = tmp_path_factory.mktemp("tree")
    for package in FIRST_PARTY:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PLANNER], cwd=tree, env=environment, **pipes) as process:  # type: ignore[call-overload]

        def planned(variant: Variant, matrix: tuple[str, ...] = SMALL) -> Planned:
            process.stdin.write(json.dumps([variant, *matrix]) + "\n")
            process.stdin.flush()
            found: Planned = json.loads(process.stdout.readline())
            assert found is not None, "the plan of this variant failed"
            return found

        yield planned
        process.stdin.close()


@pytest.fixture(scope="module")
def original(plan: Planner) -> Planned:
    return plan({})


@pytest.fixture(scope="module")
def whole(plan: Planner) -> Planned:
    """Every scheme crossed with every attack."""
    return plan({}, WHOLE)


def tree_of(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


# -- what renames nothing --------------------------------------------------------------------------------------------


class Reworded(ast.NodeTransformer):
    """Other docstrings, other texts of exceptions, other descriptions of parameters and papers."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return ast.Expr(ast.Constant("Said in other words.\n\nAt length."))
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args = [
                ast.Constant("other words") if isinstance(one, ast.JoinedStr) or is_text(one) else one
                for one in node.exc.args
            ]
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if ast.unparse(node.targets[0]) in ("paper", "family") and is_text(node.value):
            node.value = ast.Constant("Somebody 2020")
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node.func).endswith("parameter"):
            node.args[1:2] = [ast.Constant("other words") for _ in node.args[1:2]]
        return self.generic_visit(node)


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_other_words_rename_nothing(plan: Planner, original: Planned) -> None:
    """Docstrings, texts of exceptions, comments, blank lines and line breaks, in every file that counts, at once."""
    variant = {
        name: "# a remark\n\n\n" + ast.unparse(ast.fix_missing_locations(Reworded().visit(tree_of(name))))
        for name in [*NUMERIC, *LENT, *PLUGINS]
    }
    assert sum("Said in other words" in text for text in variant.values()) == len(variant)
    assert sum("'other words'" in text for text in variant.values()) > 20
    assert plan(variant) == original


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("benchmark/training/flops.py", "benchmark/training/counted_work.py"),
        ("benchmark/crypto/prf.py", "benchmark/protocol/pseudorandom.py"),
        ("benchmark/protocol/steps.py", "benchmark/execution/acts.py"),
        ("schemes/adi.py", "schemes/backdoor.py"),
    ],
)
def test_a_file_that_moves_renames_nothing(plan: Planner, original: Planned, old: str, new: str) -> None:
    here, there = (name.removesuffix(".py").replace("/", ".") for name in (old, new))
    (room, name), (new_room, new_name) = here.rsplit(".", 1), there.rsplit(".", 1)
    variant: dict[str, str | None] = {new: (ROOT / old).read_text(), old: None}
    for package in FIRST_PARTY:
        for path in (ROOT / package).rglob("*.py"):
            text, file = path.read_text(), str(path.relative_to(ROOT))
            moved = text.replace(f"from {room} import {name}\n", f"from {new_room} import {new_name} as {name}\n")
            moved = moved.replace(f"from {here} import", f"from {there} import")
            if moved != text:
                variant[file] = moved
    assert len(variant) > 2 or old.startswith("schemes")
    assert plan(variant) == original


def test_one_more_name_in_the_contract_renames_nothing(plan: Planner, original: Planned) -> None:
    text = (ROOT / "benchmark/contract.py").read_text()
    more = text + "\nfrom benchmark.training.flops import multiply_adds\n__all__ += ['multiply_adds']\n"
    assert plan({"benchmark/contract.py": more}) == original


def test_a_new_version_of_the_package_renames_nothing(plan: Planner, original: Planned) -> None:
    assert plan({"benchmark/__init__.py": '__version__ = "9.9.9"\n'}) == original


# -- what renames ----------------------------------------------------------------------------------------------------


def with_other_constant(name: str) -> str:
    """The file with a number, or else a text, changed: the first in a function, or else the first outside.

    With one constant more where it has none that counts. A plug-in keeps its traits: plans ask for it by its name, and
    others are words of a list.
    """
    tree = tree_of(name)
    traits = {id(one) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and "name" in assigned(node)
              for value in assigned(node).values() for one in ast.walk(value)}  # fmt: skip
    wording = {id(one) for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.Expr | ast.arg | ast.AnnAssign)
               for one in ast.walk(node.annotation if isinstance(node, ast.AnnAssign) else node)}  # fmt: skip
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    nodes = [*(one for function in functions for one in ast.walk(function)), *ast.walk(tree)]
    found = [one for one in nodes if isinstance(one, ast.Constant) and id(one) not in wording | traits]
    numbers = [one for one in found if type(one.value) in (int, float)]
    for one in [*numbers, *filter(is_text, found)][:1]:
        value = one.value
        if type(value) is float:  # a share stays one
            one.value = value / 2 or 0.5
        else:
            one.value = value + (1 if one in numbers else "x")
        return ast.unparse(tree)
    return f"{ast.unparse(tree)}\nCONSTANT = 1\n"


def assigned(node: ast.ClassDef) -> dict[str, ast.expr]:
    """What a class sets in its body, by name, without annotations."""
    plain = [one for one in node.body if isinstance(one, ast.Assign)]
    return {target.id: one.value for one in plain for target in one.targets if isinstance(target, ast.Name)}


def with_other_import(name: str, *, first_party: bool) -> str:
    """The file with the first name that it imports bound to something else; with one import more where it has none."""
    tree = tree_of(name)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module not in ("__future__", "typing", "collections.abc"):
            if (str(node.module).split(".")[0] in FIRST_PARTY) is first_party:
                node.names[0] = ast.alias("something_else", node.names[0].asname or node.names[0].name)
                return ast.unparse(tree)
        elif isinstance(node, ast.Import) and not first_party:
            node.names[0] = ast.alias("something_else", node.names[0].asname or node.names[0].name.split(".")[0])
            return ast.unparse(tree)
    tree.body.append(ast.ImportFrom("benchmark" if first_party else "somewhere", [ast.alias("something")], 0))
    return ast.unparse(tree)


def test_the_changes_that_these_tests_make() -> None:
    batches = "benchmark/training/batches.py"
    original = ast.unparse(tree_of(batches)).splitlines()
    for changed in (with_other_constant(batches), with_other_import(batches, first_party=True)):
        assert sum(old != new for old, new in zip(original, changed.splitlines(), strict=True)) == 1
    assert "import something_else as dataclass" in with_other_import(batches, first_party=False)
    assert "import something_else as Data, as_float" in with_other_import(batches, first_party=True)


def test_every_result_is_named_by_the_engine(original: Planned, whole: Planned) -> None:
    for planned in (original, whole):
        assert all(json.loads(payload)["engine"] == planned["engine"] for _, payload in planned["jobs"].values())


@pytest.mark.parametrize("name", NUMERIC)
def test_a_constant_of_the_numeric_part_is_another_engine(plan: Planner, original: Planned, name: str) -> None:
    assert plan({name: with_other_constant(name)}, NO_PLAN)["engine"] != original["engine"]


@pytest.mark.parametrize("first_party", [True, False])
@pytest.mark.parametrize("name", NUMERIC)
def test_an_import_of_the_numeric_part_is_another_engine(
    plan: Planner, original: Planned, name: str, first_party: bool
) -> None:
    variant = {name: with_other_import(name, first_party=first_party)}
    assert plan(variant, NO_PLAN)["engine"] != original["engine"]


@pytest.mark.parametrize(
    ("old", "new"), [("momentum: float = 0.9", "momentum: float = 0.8"), ("optim.SGD", "optim.Adam")]
)
def test_another_optimiser_renames_everything(plan: Planner, original: Planned, old: str, new: str) -> None:
    text = (ROOT / "benchmark/training/recipe.py").read_text()
    assert text.count(old) >= 1
    found = plan({"benchmark/training/recipe.py": text.replace(old, new)})
    assert found["jobs"].keys().isdisjoint(original["jobs"])


def relies_on(name: str) -> set[tuple[str, str]]:
    """The plug-ins, by role and name, whose file imports this one, directly or not."""
    passed_on = {one.name for node in tree_of("benchmark/contract.py").body if isinstance(node, ast.ImportFrom)
                 if f"{node.module}".replace(".", "/") + ".py" == name for one in node.names}  # fmt: skip
    users = {name, *(one for one in PLUGINS if passed_on & set(re.findall(r"\bwm\.(\w+)", (ROOT / one).read_text())))}
    while more := {one for one in PLUGINS if users & {f"{to.replace('.', '/')}.py" for to in imported(one)}} - users:
        users |= more
    return {plugin for plugin, source in SOURCES.items() if source in users}


def with_other(change: str, name: str) -> str:
    return with_other_constant(name) if change == "constant" else with_other_import(name, first_party=change == "house")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *((name, "constant") for name in (*LENT, *PLUGINS)),
        *((name, change) for name in (*LENT, *PLUGINS[::5]) for change in ("house", "library")),
    ],
)
def test_a_plug_ins_code_renames_its_own_results_and_what_follows_from_them(
    plan: Planner, whole: Planned, name: str, change: str
) -> None:
    own = relies_on(name)
    found = plan({name: with_other(change, name)}, WHOLE)
    assert found["engine"] == whole["engine"]
    expected: set[str] = set()
    for id, (_, text) in whole["jobs"].items():  # parents before children
        payload = json.loads(text)
        plugins = {("attack", one["name"]) for one in payload.get("stages", ())}
        plugins |= {("scheme", payload["scheme"]["name"])} if payload.get("scheme") else set()
        if plugins & own or not expected.isdisjoint(re.findall("[0-9a-f]{64}", text)):
            expected.add(id)
    assert whole["jobs"].keys() - found["jobs"].keys() == expected
    assert 0 < len(expected) < len(whole["jobs"])


# -- what the numeric part is ----------------------------------------------------------------------------------------


def imported(name: str) -> Iterator[str]:
    """The first-party modules that a file imports, but for the type checker."""
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in FIRST_PARTY:
            inside = {f"{node.module}.{one.name}" for one in node.names}
            yield from {one for one in inside if module_source(one)} or {str(node.module)}
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.split(".")[0] in FIRST_PARTY)


def test_whatever_numeric_files_import_is_numeric_or_excused() -> None:
    used = {module for name in NUMERIC for module in imported(name)}
    files = {str(Path(source).relative_to(ROOT)) for one in used - NOT_NUMERIC.keys() if (source := module_source(one))}
    assert files <= set(NUMERIC)
    assert NOT_NUMERIC.keys() <= used, "an excuse that nobody needs"
    assert all(module_source(one) for one in NOT_NUMERIC)


def test_the_page_names_the_numeric_part() -> None:
    page = (ROOT / "docs/identity.md").read_text()
    (paragraph,) = re.findall(r"^`engine` covers .*?\n\n", page, re.DOTALL | re.MULTILINE)
    named = [ROOT / "benchmark" / one.removeprefix("benchmark/") for one in re.findall(r"`([\w/.]+)`", paragraph)]
    files = {inside for one in named for inside in ([one] if one.is_file() else one.glob("[!_]*.py"))}
    assert {str(one.relative_to(ROOT)) for one in files} == set(NUMERIC)


def test_rooms_that_compute_are_numeric_as_a_whole() -> None:
    """Builders of nets are found by name while a job runs, so every file that has some counts."""
    for room in ("protocol", "training", "architectures"):
        files = {str(path.relative_to(ROOT)) for path in (ROOT / "benchmark" / room).glob("*.py") if path.read_text()}
        assert files <= set(NUMERIC)
    read = {
        "splits",
        "torchvision_sets",
        "class_folders",
        "degraded_photos",
        "image_files",
    }  # and their bytes are hashed
    assert {f"benchmark/data/{one}.py" for one in read} <= set(NUMERIC)
