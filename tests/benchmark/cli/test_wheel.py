"""The wheel: what a user installs is complete, small, typed, and of one version. Built here, without a network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from benchmark import __version__

ROOT = Path(__file__).parents[3]
PACKAGES = ("benchmark", "schemes", "attacks", "leaderboard")
LARGEST = 1_000_000  # bytes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


def test_it_holds_the_four_packages_whole_and_the_command_and_no_published_board(wheel: Path) -> None:
    there = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    expected = {path.relative_to(ROOT).as_posix() for path in there if "__pycache__" not in path.parts}
    expected.add("watermark_bench.py")
    installed = {name for name in names(wheel) if ".dist-info/" not in name}
    assert installed == {name for name in expected if not name.startswith("leaderboard/published/")}


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST


def test_its_packages_declare_their_types(wheel: Path) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= names(wheel)


def test_its_metadata_are_those_of_the_repository(wheel: Path) -> None:
    info = f"watermark_bench-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as file:
        metadata = Parser().parsestr(file.read(f"{info}/METADATA").decode())
        commands = file.read(f"{info}/entry_points.txt").decode()
        assert file.read(f"{info}/licenses/LICENSE").decode() == (ROOT / "LICENSE").read_text()
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert "bench = watermark_bench:main" in commands
    wanted = {re.split(r"[>=\s]", line)[0] for line in metadata.get_all("Requires-Dist", []) if "extra" not in line}
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert wanted == {re.split(r"[>=\s]", line)[0] for line in declared}


def test_version_changelog_and_citation_agree() -> None:
    released = re.findall(r"^## \[(\d[^\]]*)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0][0] == __version__
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"version: {__version__}\n" in citation
    assert f"date-released: {released[0][1]}\n" in citation
