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
from typing import Any, Protocol

import pytest

from benchmark.digest.modules import FIRST_PARTY
from benchmark.plugins.registry import Registry

from .changed_code import NUMERIC, ROOT, Reworded, imported, tree_of, with_other_constant, with_other_import

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
from benchmark.digest.kept_forms import keep, kept_form
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

for path in Path().rglob("*.py"):
    kept_form(path.read_bytes())
keep()
Registry.discover()  # reads by content, too
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
Origins = Mapping[str, tuple[set[tuple[str, str]], set[str]]]  # of a job: its plug-ins, and the jobs before it


class Planner(Protocol):
    def __call__(self, variant: Variant, matrix: tuple[str, ...] = SMALL) -> Planned: ...


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    tree = tmp_path_factory.mktemp("tree")
    for package in FIRST_PARTY:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tree), "XDG_CACHE_HOME": str(tree / "cache")}
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


def origins_of(planned: Planned) -> Origins:
    """Where each job of a plan comes from, parents before children."""
    found = {}
    for id, (_, text) in planned["jobs"].items():
        payload = json.loads(text)
        plugins = {("attack", one["name"]) for one in payload.get("stages", ())}
        plugins |= {("scheme", payload["scheme"]["name"])} if payload.get("scheme") else set()
        found[id] = plugins, set(re.findall("[0-9a-f]{64}", text))
    return found


# -- what renames nothing --------------------------------------------------------------------------------------------


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


def with_more(plugins: set[tuple[str, str]]) -> tuple[str, str]:
    """A matrix of these plug-ins and of others, among which each of them finds one that it applies to."""
    beside = {"scheme": ("adi", "keynet", "passport", "deepmodel-bits"), "attack": ("none", "prune", "average")}
    own = {role: {name for one, name in plugins if one == role} for role in beside}
    schemes, attacks = (",".join(f"{name}()" for name in sorted(own[role].union(beside[role]))) for role in beside)
    return schemes, attacks


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
    """Every tenth among all schemes and all attacks, the others among few of them."""
    own, wide = relies_on(name), name in (*LENT, *PLUGINS[::10])
    found = plan({name: with_other(change, name)}, WHOLE if wide else with_more(own))
    assert found["engine"] == whole["engine"]
    assert not wide or len(found["jobs"]) == len(whole["jobs"])  # none has gone
    expected: set[str] = set()
    for id, (plugins, before) in origins_of(found).items():
        if plugins & own or expected & before:
            expected.add(id)
    assert found["jobs"].keys() - whole["jobs"].keys() == expected
    assert 0 < len(expected) < len(found["jobs"])
