"""What the guides of docs/ and the notebook say is so: their code runs, and their tables are those of the code."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from bench import PROFILE, SCHEME, kept_fork_servers, stamps

import benchmark as wb
from benchmark.plugins.registry import Registry

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs"
FIRST_STEPS, OWN_MODEL = (ROOT / "examples" / f"{name}.ipynb" for name in ("first_steps", "own_model"))
LAWS = {"exact": "in closed form", "redrawn": "keys drawn anew", "none": "none"}
MARKS = {"classification": "classifiers", "image-to-image": "image to image"}


def code_cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def example(page: str) -> str:
    """The first block of Python on a page."""
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)[0]


def test_every_page_is_on_the_site_and_the_site_has_no_other() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    pages = re.findall(r" ([\w-]+\.md)$", nav, re.MULTILINE)
    assert len(pages) == len(set(pages))
    assert set(pages) == {path.name for path in DOCS.glob("*.md")} | {"contributing.md"}


def test_the_reference_names_every_function() -> None:
    page = (DOCS / "api.md").read_text()
    named = {}
    for full in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE):
        module, _, name = full.rpartition(".")
        named[name] = getattr(importlib.import_module(module), name)
    assert {name: getattr(wb, name) for name in wb.__all__}.items() <= named.items()
    assert all(one.__doc__ for one in named.values())
    assert set(re.findall(r"wb\.(\w+)", page)) == set(wb.__all__)


def test_the_table_of_schemes_is_what_they_declare() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \| (.*) \| (.*) \|$", (DOCS / "choose-a-scheme.md").read_text(), re.M)
    declared = [
        (one.name, MARKS[one.traits["tasks"][0]], one.traits["court"].replace("outputs", "images"),
         LAWS[one.traits["null_law"]])
        for one in Registry.discover().schemes
    ]  # fmt: skip
    assert rows == declared


def test_the_attack_of_the_guide_is_that_of_the_notebook() -> None:
    (cell,) = (cell for cell in code_cells(FIRST_STEPS) if cell.startswith("%%writefile shrink.py\n"))
    assert cell.partition("\n")[2] + "\n" == example("write-an-attack.md")


@pytest.mark.parametrize("notebook", sorted(FIRST_STEPS.parent.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_the_notebook_does_what_it_says(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the size of the small profile, in a folder where its unmarked and marked models are finished."""
    monkeypatch.chdir(tmp_path)
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    before, found = stamps(results), dict[str, Any]()
    first, *cells = code_cells(FIRST_STEPS)
    for usual, small in (('"adi"', SCHEME), ('"quick"', str(PROFILE))):
        assert usual in first
        first = first.replace(usual, repr(small))
    for cell in (first, *cells):
        magic = re.fullmatch(r"%%writefile (\S+)\n(.*)", cell, re.DOTALL)
        if magic:
            Path(magic[1]).write_text(magic[2])
        else:
            exec(cell, found)
    marked = found["cells"][~found["cells"].innocent]
    assert list(zip(marked.attack, marked.verdict, strict=True)) == [
        ("none", "survived"), ("shrink", "survived"), ("shrink(scale=0.5)", "utility-lost")
    ]  # fmt: skip
    assert (found["seen"].opinion.verdict, found["seen"].suspect.name) == ("present", "stolen/model.safetensors")
    after = stamps(results)
    assert {name: after[name] for name in before} == before


def test_the_notebook_of_a_stolen_model_asks_it_in_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = dict[str, Any]()
    first, *cells = code_cells(OWN_MODEL)
    assert '"adi"' in first
    with kept_fork_servers():
        for cell in (first.replace('"adi"', repr(SCHEME)), *cells):
            exec(cell, found)
    verdicts = [found[name] for name in ("seen", "by_letter", "by_address")]
    assert [one.suspect.form for one in verdicts] == ["exported program", "written answers", "address"]
    assert [one.opinion.verdict for one in verdicts] == ["present"] * 3
    assert len({one.opinion.evidence.total for one in verdicts}) == 1
    assert found["seen"].opinion.sequential.needed <= 15
