"""What README and docs say is so: links, files, commands, and the order of rooms."""

from __future__ import annotations

import importlib.util
import re
import shlex
from itertools import pairwise, product
from pathlib import Path

import click
import pytest
from control_table import cells, page, records
from test_rooms import ORDER, floor, graph

from benchmark.cli import bench
from benchmark.data.tasks import TASKS
from benchmark.plugins.registry import Registry

ROOT = Path(__file__).parents[1]
NAMES = ("README.md", "AGENTS.md", "CHANGELOG.md", "CONTRIBUTING.md", ".github/pull_request_template.md")
PAGES = [*(ROOT / name for name in NAMES), *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = "benchmark|leaderboard|schemes|attacks"
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code(text: str) -> list[str]:
    """What is set as code: the lines of blocks without a language, and spans."""
    blocks = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [line for block in blocks for line in block.splitlines()] + [" ".join(span.split()) for span in spans]


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", page.read_text())
    missing = [
        one for one in targets if not re.match(r"https?://|#", one) and not (page.parent / one.split("#")[0]).exists()
    ]
    assert missing == []


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(rf"(?<![\w./-])(?:{PACKAGES}|tests|docs)/[\w./-]*\w/?", page.read_text())
    found = {name: [ROOT / name, (ROOT / name).with_suffix(".py")] for name in named}
    assert [name for name, places in found.items() if not any(place.exists() for place in places)] == []


@each_page
def test_modules_that_are_named_exist(page: Path) -> None:
    for line in code(page.read_text()):
        for module in re.findall(r"python -m ([\w.]+)", line):
            assert importlib.util.find_spec(module), line
        for module in re.findall(rf"^(?:from )?((?:{PACKAGES})\.(?!md$|html$|tex$|json$)\w+)(?: import.*)?$", line):
            package, name = module.split(".")
            there = importlib.util.find_spec(module) or hasattr(__import__(package), name)
            assert there, line


@each_page
def test_commands_that_are_named_exist(page: Path) -> None:
    lines = (part.strip() for line in code(page.read_text()) for part in line.split("#")[0].split(";"))
    for line in lines:
        if re.match(r"(\.venv/bin/)?make (?!PYTHON)", line):
            assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
        if line.startswith("bench "):
            command: click.Command = bench
            for word in shlex.split(line)[1:]:
                if word.startswith("--"):
                    options = {name for option in command.params for name in option.opts}
                    assert word.split("=")[0] in {*options, "--help"}, line
                elif isinstance(command, click.Group):
                    assert word in command.commands, line
                    command = command.commands[word]


def test_the_picture_shows_the_rooms_in_their_order_and_who_imports_whom() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    titles = dict(re.findall(r'^    (\w+)\["(.*?)<br/>', text, re.MULTILINE))
    for title, rooms in zip(titles.values(), ORDER, strict=True):
        assert all(re.search(rf"\b{room.split('.')[-1]}\b", title) for room in rooms), title
    places = list(titles)
    drawn = {
        (places.index(one), places.index(two))
        for line in re.findall(r"^    (\w[\w &]*(?: --> [\w &]+)+)$", text, re.MULTILINE)
        for before, after in pairwise(line.split(" --> "))
        for one, two in product(before.split(" & "), after.split(" & "))
    }
    rooms = {one: floor(one) for one in graph() if one != "leaderboard"}
    used = {(rooms[two], rooms[one]) for one, those in graph().items() if one in rooms for two in those}
    arrows = {(one, two) for one, two in used if one < two}
    reach = set(arrows)
    for middle in range(len(ORDER)):
        reach |= {(a, d) for a, b in reach if b == middle for c, d in reach if c == middle}
    needed = {(a, b) for a, b in arrows if not any((a, c) in reach and (c, b) in reach for c in range(len(ORDER)))}
    assert drawn == needed, {
        "draw": [f"{places[one]} --> {places[two]}" for one, two in needed - drawn],
        "remove": [f"{places[one]} --> {places[two]}" for one, two in drawn - needed],
    }


def test_files_hold_what_a_newcomer_is_sent_to_them_for() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (?:Where|What|Who) .*?\? \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) >= 11
    for row in rows:
        for file, name in re.findall(r"`([\w/.]+\.py)` \(`(\w+)`\)", row):
            assert re.search(rf"^(def|class) {name}\b", (ROOT / file).read_text(), re.MULTILINE), row


def test_pages_keep_to_their_size() -> None:
    lines = {page.name: len(page.read_text().splitlines()) for page in PAGES}
    assert lines["README.md"] <= 120
    assert lines["AGENTS.md"] < 80


def test_the_table_of_controls_is_made_from_its_records() -> None:
    table = ROOT / "docs" / "controls.md"
    assert (table.read_text() if table.exists() else "") == (page() if records() else "")


def test_a_control_removes_in_three_seeds_within_the_budget_what_plain_fine_tuning_leaves() -> None:
    def control(seeds: int = 3, lost: float = 0.02, p: float = -0.5, plain: float = -90.0, own: float = -90.0) -> str:
        rates = [{"lr": lr, "hits": 98, "accuracy": 0.98, "log10_p": left} for lr, left in ((0.01, plain), (0.05, own))]
        one = {"attack": "fst", "scheme": "adi", "of": 100, "hits": [100, 9], "log10_p": p, "plain": rates}
        return cells([one | {"seed": seed, "accuracy": [0.98, 0.98 - lost]} for seed in range(seeds)])[-1]

    assert control() == "at both rates"
    assert control(own=-1.0) == "yes"
    assert [control(seeds=2), control(lost=0.03), control(p=-3.0), control(plain=-1.0)] == ["no"] * 4


def test_a_control_that_trains_nothing_has_no_fine_tuning_beside_it_and_a_court_shows_what_it_read() -> None:
    one = {"attack": "rearrange", "scheme": "passport", "of": 96, "hits": [96, 51], "log10_p": -0.5, "plain": []}
    seeds = [one | {"seed": seed, "accuracy": [0.98, 0.98]} for seed in range(3)]
    seeds[1]["views"] = {"signs": 51, "signs_aligned": 49}
    seeds[2]["unreadable"] = True
    shown = cells(seeds)
    assert shown[3] == "96 → 51, 96 → 51 (signs 51, signs_aligned 49), 96 → unreadable of 96"
    assert shown[-1] == "untrained"
    assert cells([seed | {"log10_p": -9.0} for seed in seeds])[-1] == "no"


def test_the_glossary_is_in_alphabetical_order() -> None:
    terms = re.findall(r"^- \*\*(.+?)\*\*: ", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert len(terms) >= 30
    assert terms == sorted(terms, key=str.lower)


def test_the_changelog_counts_the_attacks_of_the_first_version() -> None:
    later, first = (ROOT / "CHANGELOG.md").read_text().split("## [0.1.0]")
    added = "".join(re.findall(r"^### Added\n(.*?)^##", later, re.DOTALL | re.MULTILINE))
    attacks = {one.name: one.traits["family"] for one in Registry.discover().attacks if f"`{one.name}`" not in added}
    families = [family for family in attacks.values() if family != "control"]
    assert f"{len(families)} attacks in {len(set(families))} families" in first


def test_tasks_without_validation_images_are_named() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    named = re.search(r"have no validation images:\*\* (.*?) are too small", text)
    assert named
    assert set(re.findall(r"`(\w+)`", named[1])) == {name for name, task in TASKS.items() if not task.validation}


def test_the_readme_counts_schemes_and_attacks() -> None:
    known, said = Registry.discover(), " ".join((ROOT / "README.md").read_text().split())
    attacks = [one for one in known.attacks if one.traits["kind"] != "control"]
    assert len(known.schemes) == 9
    assert f"nine schemes, attacks them in {len(attacks)} ways" in said
